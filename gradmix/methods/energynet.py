"""EnergyNet [15], as we read it: energies of attention maps identify the true class (§4.3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from gradmix.alignment.energy import EnergyHead, Reading, add_energy_head, energy_loss, triplet_loss
from gradmix.batch_norm import batch_statistics
from gradmix.losses import hard_loss
from gradmix.method import Method, TargetConfig
from gradmix.networks import Network
from gradmix.sampling import Batch


@dataclass(frozen=True, kw_only=True)
class EnergyNetConfig(TargetConfig):
    """Settings of EnergyNet; all defaults are ours, as the authors' are unknown.

    Attributes:
        energy_weight: weight of the energy loss.
        energy_margin: margin by which the true class's energy should exceed a wrong one's.
        triplet_weight: weight of the triplet loss.
        triplet_margin: margin by which maps of the same class should be closer than another's.

    Raises:
        ValueError: if a weight is negative or a margin not positive.
    """

    energy_weight: float = 1.0
    energy_margin: float = 1.0
    triplet_weight: float = 1.0
    triplet_margin: float = 0.2

    def __post_init__(self) -> None:
        """Check that weights are not negative and margins are positive."""
        for field in ("energy_weight", "triplet_weight"):
            if not getattr(self, field) >= 0:
                raise ValueError(f"{field} must not be negative, found {getattr(self, field)}.")
        for field in ("energy_margin", "triplet_margin"):
            if not getattr(self, field) > 0:
                raise ValueError(f"{field} must be positive, found {getattr(self, field)}.")


class EnergyNet(Method):
    """Our reading of EnergyNet: a source-only model learns energies of attention maps on V.

    The authors' code is not public. From their abstract and figure: a network first trained on
    still images; class attention maps of its frames; energies of these maps, higher for the true
    class, from a Siamese network with shared parameters; an energy loss and a triplet loss, trained
    jointly with hard negatives. Our guesses: cross entropy besides the two losses, adding the
    energies to the logits, one energy function for all classes, its shape, the hinges and margins,
    mining within V's mini-batch, and training all weights at the same rate, as in fine-tuning.
    """

    name = "energynet"
    source_scope = "none"
    starts_from = "source_only"
    needs_map = True
    config: EnergyNetConfig

    @staticmethod
    def adapt(network: Network, sources: Sequence[str]) -> None:
        """Add energies to the target's head; reject a trunk that does not end in a map."""
        add_energy_head(network)

    def update(
        self, sources: Sequence[Batch], target: Batch | None, unlabelled: Tensor | None = None
    ) -> dict[str, float]:
        """Take one step on V; `sources` is ignored."""
        batch = self.required(target, "V")
        self.network.train()
        self.flat.zero()
        self.flat.collect_in(0)
        head = cast("EnergyHead", self.network.heads[batch.head])
        with batch_statistics(self.network, updated=self.v_updates_statistics):
            reading = head.read(self.network.feature_map(batch.images))
        plain, energy, triplet = self.losses(reading, batch.labels)
        config = self.config
        value = plain + config.energy_weight * energy + config.triplet_weight * triplet
        value.backward()  # type: ignore[no-untyped-call]  # untyped in torch
        self.flat.set_sum()
        self.step()
        return {
            "loss/V": self.figure(plain),
            "energy": self.figure(energy),
            "triplet": self.figure(triplet),
        }

    def losses(self, reading: Reading, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Unweighted cross entropy, energy loss and triplet loss for class numbers [B]."""
        logits, energies, embeddings = reading
        of_true = embeddings[torch.arange(len(labels), device=labels.device), labels]
        return (
            hard_loss(logits, labels),
            energy_loss(energies, logits, labels, self.config.energy_margin),
            triplet_loss(of_true, labels, self.config.triplet_margin),
        )
