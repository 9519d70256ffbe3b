"""DCTN [41]: adversarial alignment of each source's features with the target's (§4.2)."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from gradmix.alignment.adversary import (
    add_discriminators,
    adversary_of,
    confusion_loss,
    discrimination_loss,
    untrained,
)
from gradmix.batch_norm import batch_statistics
from gradmix.declarations.methods.dctn import DECLARATION, DCTNConfig
from gradmix.losses import loss
from gradmix.method import Method
from gradmix.networks import Network
from gradmix.problem import TARGET_HEAD
from gradmix.sampling import Batch


class DCTN(Method):
    """Cross entropy on the sources, V and pseudo-labelled U; one discriminator per source.

    The trunk is trained to confuse only the discriminator with the largest loss (multi-way hard
    domain mining). The phases the authors alternate are one step here. They predict by weighting
    the classifiers of the sources that have a class by how similar source and target are. Here,
    sources with the target's label space share the target's head, so the head's own prediction
    serves, and other sources act through the trunk alone.
    """

    declaration = DECLARATION
    config: DCTNConfig

    @staticmethod
    def adapt(network: Network, sources: Sequence[str]) -> None:
        """Add the discriminators under `heads`, since they are not part of the trunk."""
        add_discriminators(network, sources)

    def update(
        self, sources: Sequence[Batch], target: Batch | None, unlabelled: Tensor | None = None
    ) -> dict[str, float]:
        """Take one step on a mini-batch of each source, V and U."""
        batches = dict(zip(self.sources, sources, strict=True))
        labelled = batches["V"] = self.required(target, "V")
        images = self.required(unlabelled, "U")
        self.network.train()
        self.flat.zero()
        self.flat.collect_in(0)

        features = {
            name: self.network.embed(batch.images)
            for name, batch in zip(self.sources, sources, strict=True)
        }
        with batch_statistics(self.network, updated=self.v_updates_statistics):
            features["V"] = self.network.embed(labelled.images)
        of_u = self.network.embed(images)
        logits = {
            name: self.network.heads[batch.head](features[name]) for name, batch in batches.items()
        }
        losses = {
            f"loss/{name}": loss(logits[name], batch.labels, self.soft_direction)
            for name, batch in batches.items()
        }
        losses["loss/U"], kept = self.pseudo_labelled_loss(of_u)

        of_target = torch.cat([features["V"], of_u])
        told_apart = self.discrimination_losses(features, of_target)
        hardest = max(told_apart, key=lambda name: float(told_apart[name].detach()))
        confusion = self.confusion(hardest, features[hardest], of_target)
        plain = torch.stack([*losses.values(), *told_apart.values()]).sum()
        value = plain + self.config.adversary_weight * confusion
        value.backward()  # type: ignore[no-untyped-call]  # untyped in torch
        self.flat.set_sum()
        self.step()
        return {
            **{name: float(found.detach()) for name, found in losses.items()},
            **{f"adversary/{name}": float(found.detach()) for name, found in told_apart.items()},
            "confusion": float(confusion.detach()),
            "count/pseudo_labelled": float(kept),
            **{f"count/hardest/{name}": float(name == hardest) for name in self.sources},
        }

    def pseudo_labelled_loss(self, features: Tensor) -> tuple[Tensor, int]:
        """Mean cross entropy of the pseudo-labelled samples of U, and their number."""
        logits = self.network.heads[TARGET_HEAD](features)
        confidence, labels = logits.detach().softmax(1).max(1)
        kept = confidence >= self.config.threshold
        number = int(kept.sum())
        total = functional.cross_entropy(logits[kept], labels[kept], reduction="sum")
        return total / max(number, 1), number

    def discrimination_losses(
        self, features: Mapping[str, Tensor], of_target: Tensor
    ) -> dict[str, Tensor]:
        """L_D of each source; its gradient reaches the discriminators, not the features."""
        losses, target = {}, of_target.detach()
        for name in self.sources:
            adversary = self.network.heads[adversary_of(name)]
            scores = adversary(features[name].detach()), adversary(target)
            losses[name] = discrimination_loss(*scores, self.config.adversary)
        return losses

    def confusion(self, source: str, of_source: Tensor, of_target: Tensor) -> Tensor:
        """L_cf of one source; its gradient reaches the features, not the discriminator."""
        adversary = self.network.heads[adversary_of(source)]
        scores = untrained(adversary, of_source), untrained(adversary, of_target)
        return confusion_loss(*scores, self.config.adversary)
