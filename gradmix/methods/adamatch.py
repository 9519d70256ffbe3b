"""AdaMatch with labelled target samples: weak and strong views of every batch."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from gradmix.batch_norm import batch_statistics
from gradmix.declarations.methods.adamatch import DECLARATION, AdaMatchConfig
from gradmix.declarations.optimiser import OptimiserConfig
from gradmix.losses import loss
from gradmix.networks import Network
from gradmix.problem import TARGET_HEAD
from gradmix.sampling import Batch
from gradmix.unlabelled.augmentation import strong, weak
from gradmix.unlabelled.semi_supervised import UNLABELLED, OnUnlabelled, aligned, ramped


class Alignment:
    """Predicted class frequencies, used for distribution alignment of pseudo-labels.

    Each source's are an exponential moving average, U's the mean over the last `window`
    mini-batches; both start uniform. Pseudo-labels are aligned to the mean over the sources.

    Args:
        ema_momentum: momentum of a source's average.
        window: number of mini-batches of U.
    """

    def __init__(self, ema_momentum: float, window: int) -> None:
        self._momentum, self._length = ema_momentum, window
        self.of_sources: dict[str, Tensor] = {}
        self._of_unlabelled: Tensor | None = None

    @torch.no_grad()
    def pseudo_labels(self, reference: Mapping[str, Tensor], guessed: Tensor) -> Tensor:
        """Align predictions for U with those for the sources, after adding both to the averages.

        Args:
            reference: predictions [B, C] for each source with the target's classes.
            guessed: predictions [B, C] for U.

        Returns:
            Distributions [B, C]: p times the sources' frequency over U's, normalised.
        """
        even = guessed.new_full((guessed.shape[1],), 1.0 / guessed.shape[1])
        for name, predicted in reference.items():
            before = self.of_sources.get(name, even).to(guessed)
            self.of_sources[name] = before.lerp(predicted.mean(0), 1.0 - self._momentum)
        if self._of_unlabelled is None:
            self._of_unlabelled = even.repeat(self._length, 1)
        earlier = self._of_unlabelled[1:].to(guessed)
        self._of_unlabelled = torch.cat([earlier, guessed.mean(0)[None]])
        wanted = torch.stack([self.of_sources[name] for name in reference]).mean(0)
        return aligned(guessed, wanted, self._of_unlabelled.mean(0))

    def state_dict(self) -> dict[str, Any]:
        """The running averages."""
        found = self._of_unlabelled
        return {
            "of_sources": {name: value.clone() for name, value in self.of_sources.items()},
            "of_unlabelled": None if found is None else found.clone(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state from `state_dict`."""
        self.of_sources = {name: value.clone() for name, value in state["of_sources"].items()}
        self._of_unlabelled = state["of_unlabelled"]


class AdaMatch(OnUnlabelled):
    """Cross entropy on weak and strong views of the sources and V, and on confident ones of U.

    Strong views of U learn the class predicted for the weak ones, after distribution alignment with
    the sources and where the confidence reaches a fraction of the sources'. Each logit of the
    sources and V is randomly interpolated between a pass with U and one without.

    Unlike the authors' code, this takes several sources: those with the target's classes are
    averaged; the others take part in every pass but contribute no frequencies or confidence. Strong
    views are those of `gradmix_fixmatch`, not CTAugment's. The learning rate schedule, weight decay
    (.001 there) and weight averaging (.999 there) are left to the training loop.
    """

    declaration = DECLARATION
    config: AdaMatchConfig

    def __init__(
        self,
        network: Network,
        sources: Sequence[str],
        optimiser: OptimiserConfig,
        config: AdaMatchConfig,
    ) -> None:
        super().__init__(network, sources, optimiser, config)
        self.alignment = Alignment(config.ema_momentum, config.window)

    def update(
        self, sources: Sequence[Batch], target: Batch | None, unlabelled: Tensor | None = None
    ) -> dict[str, float]:
        """Take one step on a mini-batch of each source, V and U."""
        batches = dict(zip(self.sources, sources, strict=True))
        batches["V"] = self.required(target, "V")
        images = self.required(unlabelled, UNLABELLED)
        self.train_mode()
        self.flat.zero()
        self.flat.collect_in(0)
        logits, of_u = self.drawn_logits(batches, images)
        # As many weak views as strong ones, so this is the mean of their two losses.
        losses = {
            f"loss/{name}": loss(
                logits[name], torch.cat([batch.labels, batch.labels]), self.soft_direction
            )
            for name, batch in batches.items()
        }
        of_sources = {
            name: logits[name].chunk(2)[0]
            for name in self.sources
            if batches[name].head == TARGET_HEAD
        }
        labelled = torch.stack([*losses.values()]).sum()
        losses["loss/U"], figures = self.pseudo_labelled_loss(of_sources, *of_u.chunk(2))
        weight = self.config.unlabelled_weight * ramped_up(self.progress, self.config.ramp)
        (labelled + weight * losses["loss/U"]).backward()  # type: ignore[no-untyped-call]
        self.flat.set_sum()
        self.step()
        return {name: self.figure(value) for name, value in {**losses, **figures}.items()}

    def pseudo_labelled_loss(
        self, of_sources: Mapping[str, Tensor], weak_logits: Tensor, strong_logits: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Mean cross entropy over all strong views of U, and metrics to log.

        Args:
            of_sources: logits [B, C] of weak views of each source with the target's classes.
            weak_logits: logits [B, C] of weak views of U; no gradient flows through them.
            strong_logits: logits [B, C] of strong views of U.
        """
        reference = {name: logits.detach().softmax(1) for name, logits in of_sources.items()}
        labels = self.alignment.pseudo_labels(reference, weak_logits.detach().softmax(1))
        usual = torch.cat([*reference.values()]).amax(1).mean()
        kept = labels.amax(1) >= self.config.threshold * usual
        losses = functional.cross_entropy(strong_logits, labels.argmax(1), reduction="none")
        return losses.where(kept, 0.0).mean(), {
            "threshold": self.config.threshold * usual,
            "count/pseudo_labelled": kept.sum(),
        }

    def drawn_logits(
        self, batches: Mapping[str, Batch], images: Tensor
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Logits of weak then strong views: of the sources and V by name, and of U."""
        views = {name: self.views(batch.images) for name, batch in batches.items()}
        of_u = self.views(images)
        heads = [batch.head for batch in batches.values()]
        alone = self.logits_of([*views.values()], heads, update_statistics=False)
        *together, found = self.logits_of(
            [*views.values(), of_u],
            [*heads, TARGET_HEAD],
            update_statistics=self.v_updates_statistics,
        )
        if not self.v_updates_statistics:
            # The pass includes V; updating the statistics without it takes another pass.
            with torch.no_grad():
                self.network.trunk(torch.cat([*(views[name] for name in self.sources), of_u]))
        drawn = [
            with_u.lerp(without, torch.rand(with_u.shape, generator=self.generator).to(with_u))
            for with_u, without in zip(together, alone, strict=True)
        ]
        return dict(zip(batches, drawn, strict=True)), found

    def views(self, images: Tensor) -> Tensor:
        """A weak view of every image, followed by a strong view of each."""
        flip = self.config.flip
        return torch.cat([view(images, self.generator, flip=flip) for view in (weak, strong)])

    def logits_of(
        self, sets: Sequence[Tensor], heads: Sequence[str], *, update_statistics: bool
    ) -> list[Tensor]:
        """Logits of several sets from one pass, normalised by batch norm as one batch."""
        with batch_statistics(self.network, updated=update_statistics):
            found = self.network.dropout(self.network.trunk(torch.cat([*sets])))
        parts = found.split([len(images) for images in sets])
        return [self.network.heads[head](part) for head, part in zip(heads, parts, strict=True)]

    def state_dict(self) -> dict[str, Any]:
        """The base class's state and the class frequencies."""
        return {**super().state_dict(), "alignment": self.alignment.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state from `state_dict`, so that training resumes exactly."""
        super().load_state_dict(state)
        self.alignment.load_state_dict(state["alignment"])


def ramped_up(progress: float, share: float) -> float:
    """A weight that grows from 0 to 1 along half a cosine over a fraction of the training."""
    return 0.5 - 0.5 * math.cos(math.pi * ramped(progress, share))
