"""EnergyNet [15], in our reading of it: attention maps tell the true class (§4.3)."""

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
    """Settings of EnergyNet; all defaults are ours, as the authors' are not known to us.

    Attributes:
        energy_weight: of the energy loss.
        energy_margin: by which the true class's energy is to be higher than a wrong one's.
        triplet_weight: of the triplet loss.
        triplet_margin: by which the same class's maps are to be nearer than another's.

    Raises:
        ValueError: if a weight is negative or a margin not positive.
    """

    energy_weight: float = 1.0
    energy_margin: float = 1.0
    triplet_weight: float = 1.0
    triplet_margin: float = 0.2

    def __post_init__(self) -> None:
        """Refuse weights that reward what is wrong, and margins that ask for nothing."""
        for field in ("energy_weight", "triplet_weight"):
            if not getattr(self, field) >= 0:
                raise ValueError(f"{field} must not be negative, found {getattr(self, field)}.")
        for field in ("energy_margin", "triplet_margin"):
            if not getattr(self, field) > 0:
                raise ValueError(f"{field} must be positive, found {getattr(self, field)}.")


class EnergyNet(Method):
    """Our reading of EnergyNet: a source-only model learns energies of its attention maps from V.

    The authors' code is not public. Theirs are, by abstract and figure: a network trained on still
    images first; the class attention maps of its frames; energies of these maps, higher for the
    true class, by a Siamese network with shared parameters; an energy loss and a triplet loss,
    trained jointly with hard negatives. Ours, by guess: cross entropy besides the two losses,
    logits to which the energies are added, one energy function for all classes, its shape, the
    hinges and margins, mining within V's mini-batch, and that all weights are trained at the same
    rate, as in fine-tuning.
    """

    name = "energynet"
    source_scope = "none"
    starts_from = "source_only"
    needs_map = True
    config: EnergyNetConfig

    @staticmethod
    def adapt(network: Network, sources: Sequence[str]) -> None:
        """Add energies to the target's head; a trunk that does not end in a map is refused."""
        add_energy_head(network)

    def update(
        self, sources: Sequence[Batch], target: Batch | None, unlabelled: Tensor | None = None
    ) -> dict[str, float]:
        """One step on V; `sources` is not read."""
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
        """Cross entropy, energy loss and triplet loss for class numbers [B], not yet weighted."""
        logits, energies, embeddings = reading
        of_true = embeddings[torch.arange(len(labels), device=labels.device), labels]
        return (
            hard_loss(logits, labels),
            energy_loss(energies, logits, labels, self.config.energy_margin),
            triplet_loss(of_true, labels, self.config.triplet_margin),
        )
