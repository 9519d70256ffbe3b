"""GradMix: source gradients mixed layer by layer towards V's gradient (§3.3, §3.4)."""

from gradmix.declarations.methods.gradmix import DECLARATION, GradMixConfig
from gradmix.steering import Steered


class GradMix(Steered):
    """The paper's method: exact layer weights (Eq. 6) and an adaptive learning rate (Eq. 9)."""

    declaration = DECLARATION
    config: GradMixConfig
