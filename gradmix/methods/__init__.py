"""The training methods: one file and one row in `METHODS` each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from gradmix.method import Method
from gradmix.methods.adamatch import AdaMatch, AdaMatchConfig
from gradmix.methods.dctn import DCTN, DCTNConfig
from gradmix.methods.doge import DoGE, DoGEConfig
from gradmix.methods.energynet import EnergyNet, EnergyNetConfig
from gradmix.methods.fine_tune import FineTune, FineTuneConfig
from gradmix.methods.fixmatch import FixMatch, FixMatchConfig
from gradmix.methods.gradmix import GradMix, GradMixConfig
from gradmix.methods.gradmix_fixmatch import GradMixFixMatch, GradMixFixMatchConfig
from gradmix.methods.gradmix_mixmatch import GradMixMixMatch, GradMixMixMatchConfig
from gradmix.methods.gradmix_sgd import GradMixSGD, GradMixSGDConfig
from gradmix.methods.gradmix_softmatch import GradMixSoftMatch, GradMixSoftMatchConfig
from gradmix.methods.gradmix_vat import GradMixVAT, GradMixVATConfig
from gradmix.methods.joint import Joint, JointConfig
from gradmix.methods.mdda import MDDA, MDDAConfig
from gradmix.methods.mme import MME, MMEConfig
from gradmix.methods.sla import SLA, SLAConfig
from gradmix.methods.softmatch import SoftMatch, SoftMatchConfig
from gradmix.methods.source_only import SourceOnly, SourceOnlyConfig
from gradmix.methods.target_only import TargetOnly, TargetOnlyConfig
from gradmix.methods.upgrad import UPGrad, UPGradConfig
from gradmix.networks import Network
from gradmix.optimiser import OptimiserConfig


@dataclass(frozen=True)
class MethodEntry:
    """A method and the dataclass of its settings."""

    method: type[Method]
    config: type[Any]


METHODS: dict[str, MethodEntry] = {
    "target_only": MethodEntry(TargetOnly, TargetOnlyConfig),
    "source_only": MethodEntry(SourceOnly, SourceOnlyConfig),
    "joint": MethodEntry(Joint, JointConfig),
    "fine_tune": MethodEntry(FineTune, FineTuneConfig),
    "energynet": MethodEntry(EnergyNet, EnergyNetConfig),
    "gradmix": MethodEntry(GradMix, GradMixConfig),
    "gradmix_sgd": MethodEntry(GradMixSGD, GradMixSGDConfig),
    "gradmix_vat": MethodEntry(GradMixVAT, GradMixVATConfig),
    "gradmix_mixmatch": MethodEntry(GradMixMixMatch, GradMixMixMatchConfig),
    "gradmix_fixmatch": MethodEntry(GradMixFixMatch, GradMixFixMatchConfig),
    "gradmix_softmatch": MethodEntry(GradMixSoftMatch, GradMixSoftMatchConfig),
    "mme": MethodEntry(MME, MMEConfig),
    "mdda": MethodEntry(MDDA, MDDAConfig),
    "dctn": MethodEntry(DCTN, DCTNConfig),
    "doge": MethodEntry(DoGE, DoGEConfig),
    "upgrad": MethodEntry(UPGrad, UPGradConfig),
    "sla": MethodEntry(SLA, SLAConfig),
    "fixmatch": MethodEntry(FixMatch, FixMatchConfig),
    "softmatch": MethodEntry(SoftMatch, SoftMatchConfig),
    "adamatch": MethodEntry(AdaMatch, AdaMatchConfig),
}


def method_named(name: str) -> MethodEntry:
    """Look up a method by name.

    Raises:
        ValueError: if there is no such method.
    """
    if name not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}. Found {name!r}.")
    return METHODS[name]


def build_method(
    name: str,
    network: Network,
    sources: Sequence[str],
    optimiser: OptimiserConfig,
    settings: dict[str, Any],
) -> Method:
    """Build a method that is ready to train `network`.

    Args:
        name: key in `METHODS`.
        network: trained in place.
        sources: names of the source streams, in the order of the batches.
        optimiser: update rule and learning rate.
        settings: fields of the method's config.

    Raises:
        ValueError: if the name is unknown or a value is invalid.
        TypeError: if a field is unknown.
    """
    entry = method_named(name)
    make: Callable[..., Method] = entry.method
    return make(network, sources, optimiser, entry.config(**settings))
