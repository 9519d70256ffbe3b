"""The GradMix method in pure torch, without orchestration, tracking or file access.

Mix two source gradients towards a target gradient:

    >>> import torch
    >>> from gradmix import importance, learning_rate_scale, mixing_weights
    >>> sources = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    >>> target = torch.tensor([1.0, 1.0])
    >>> weights = mixing_weights(sources, target)
    >>> [round(w, 4) for w in weights.tolist()]
    [0.6667, 0.3333]
    >>> rho = importance([weights @ sources], [target])
    >>> round(learning_rate_scale(rho.item(), beta=5.0, gamma=0.4), 4)
    0.99
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gradmix.declarations.declaration import Declaration
    from gradmix.declarations.methods import METHODS, method_named
    from gradmix.declarations.optimiser import OptimiserConfig
    from gradmix.declarations.training import TrainingConfig
    from gradmix.declarations.trunk import ConvTrunkConfig
    from gradmix.ensembling import enlarge, hard_labels, soft_labels
    from gradmix.method import Method
    from gradmix.methods import build_method
    from gradmix.mixer.mixer import Mixer
    from gradmix.mixer.proposing import Proposal
    from gradmix.mixer.step import Step
    from gradmix.mixing import importance, learning_rate_scale, mixing_weights
    from gradmix.networks import ConvTrunk, Network
    from gradmix.problem import LabelSpace, Problem
    from gradmix.ranking import select_top
    from gradmix.sampling import Batch, Stream
    from gradmix.training import HyperValidation, Training, train

__all__ = [
    "METHODS",
    "Batch",
    "ConvTrunk",
    "ConvTrunkConfig",
    "Declaration",
    "HyperValidation",
    "LabelSpace",
    "Method",
    "Mixer",
    "Network",
    "OptimiserConfig",
    "Problem",
    "Proposal",
    "Step",
    "Stream",
    "Training",
    "TrainingConfig",
    "build_method",
    "enlarge",
    "hard_labels",
    "importance",
    "learning_rate_scale",
    "method_named",
    "mixing_weights",
    "select_top",
    "soft_labels",
    "train",
]

_MODULES = {
    "ensembling": (
        "enlarge",
        "hard_labels",
        "soft_labels",
    ),
    "ranking": ("select_top",),
    "method": ("Method",),
    "declarations.declaration": ("Declaration",),
    "declarations.methods": (
        "METHODS",
        "method_named",
    ),
    "methods": ("build_method",),
    "mixer.mixer": ("Mixer",),
    "mixing": (
        "importance",
        "learning_rate_scale",
        "mixing_weights",
    ),
    "networks": (
        "ConvTrunk",
        "Network",
    ),
    "declarations.trunk": ("ConvTrunkConfig",),
    "declarations.optimiser": ("OptimiserConfig",),
    "problem": (
        "LabelSpace",
        "Problem",
    ),
    "mixer.proposing": ("Proposal",),
    "sampling": (
        "Batch",
        "Stream",
    ),
    "mixer.step": ("Step",),
    "declarations.training": ("TrainingConfig",),
    "training": (
        "HyperValidation",
        "Training",
        "train",
    ),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    """Import public names lazily, so that a loop with `Mixer` does not load the methods."""
    if name not in _HOMES:
        raise AttributeError(f"module 'gradmix' has no attribute {name!r}")
    found = getattr(import_module(f"gradmix.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """The public names."""
    return __all__
