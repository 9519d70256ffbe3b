"""EnergyNet [15], as we read it: energies of attention maps identify the true class (§4.3)."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from gradmix.alignment.energy import EnergyHead, Reading, add_energy_head, energy_loss, triplet_loss
from gradmix.batch_norm import batch_statistics
from gradmix.declarations.methods.energynet import DECLARATION, EnergyNetConfig
from gradmix.losses import hard_loss
from gradmix.method import Method
from gradmix.networks import Network
from gradmix.sampling import Batch


class EnergyNet(Method):
    """Our reading of EnergyNet: a source-only model learns energies of attention maps on V.

    The authors' code is not public. From their abstract and figure: a network first trained on
    still images; class attention maps of its frames; energies of these maps, higher for the true
    class, from a Siamese network with shared parameters; an energy loss and a triplet loss, trained
    jointly with hard negatives. Our guesses: cross entropy besides the two losses, adding the
    energies to the logits, one energy function for all classes, its shape, the hinges and margins,
    mining within V's mini-batch, and training all weights at the same rate, as in fine-tuning.
    """

    declaration = DECLARATION
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
