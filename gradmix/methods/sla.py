"""SLA: source labels adapted towards what they would be in the target domain."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from gradmix.batch_norm import batch_statistics
from gradmix.declarations.methods.sla import DECLARATION, SLAConfig
from gradmix.declarations.optimiser import OptimiserConfig
from gradmix.losses import loss
from gradmix.method import Method
from gradmix.networks import Network, pooled
from gradmix.problem import TARGET_HEAD
from gradmix.sampling import Batch


class Centres:
    """Mean feature vector of each class predicted for U.

    Features collected in one interval form the centres of the next. A class that was not predicted
    keeps its centre; the initial one is the origin.
    """

    def __init__(self) -> None:
        self.centres: Tensor | None = None
        self._sums = torch.zeros(0)
        self._counts = torch.zeros(0)
        self._interval = 0

    def collect(self, features: Tensor, classes: Tensor, number: int) -> None:
        """Add features [B, F] with classes [B], out of `number` classes in total."""
        if not len(self._counts):
            self._sums = features.new_zeros(number, features.shape[1])
            self._counts = features.new_zeros(number)
        chosen = functional.one_hot(classes, number).to(features)
        self._sums, self._counts = self._sums.to(features), self._counts.to(features)
        self._sums += chosen.T @ features
        self._counts += chosen.sum(0)

    def advance(self, interval: int) -> None:
        """Update the centres if a new interval has begun."""
        if interval == self._interval:
            return
        self._interval = interval
        if not len(self._counts):
            return
        before = torch.zeros_like(self._sums) if self.centres is None else self.centres
        seen = self._counts[:, None]
        self.centres = torch.where(seen > 0, self._sums / seen.clamp_min(1.0), before.to(seen))
        self._sums, self._counts = torch.zeros_like(self._sums), torch.zeros_like(self._counts)

    def state_dict(self) -> dict[str, Any]:
        """The centres, and the sums for the next ones."""
        return {
            "centres": None if self.centres is None else self.centres.clone(),
            "sums": self._sums.clone(),
            "counts": self._counts.clone(),
            "interval": self._interval,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state from `state_dict`."""
        self.centres = state["centres"]
        self._sums, self._counts = state["sums"].clone(), state["counts"].clone()
        self._interval = state["interval"]


class SLA(Method):
    """Joint training with source labels partly replaced by what the classes of U suggest.

    The loss of a source with the target's classes is (1 - alpha) CE(y) + alpha CE(y'), where y' is
    the softmax of -T times the distances from a sample's features to the centres of U's
    pseudo-classes. Other sources and V keep their labels.

    Unlike the authors' code, the head is linear, and features are scaled to the norm of 20 only for
    distances. Centres come from the mini-batches of U in the last interval, each with the model and
    batch statistics of its step, rather than from all of U with one model in eval mode. Losses are
    added, not averaged.
    """

    declaration = DECLARATION
    config: SLAConfig

    def __init__(
        self,
        network: Network,
        sources: Sequence[str],
        optimiser: OptimiserConfig,
        config: SLAConfig,
    ) -> None:
        super().__init__(network, sources, optimiser, config)
        self.centres = Centres()

    def update(
        self, sources: Sequence[Batch], target: Batch | None, unlabelled: Tensor | None = None
    ) -> dict[str, float]:
        """Take one step on each source and V; U updates the centres."""
        labelled, images = self.required(target, "V"), self.required(unlabelled, "U")
        self.centres.advance(int(self.progress / self.config.interval))
        self.collect(images)
        self.flat.zero()
        losses = {
            f"loss/{name}": self.backward_source(batch)
            for name, batch in zip(self.sources, sources, strict=True)
        }
        losses["loss/V"] = self.backward_v(labelled, 0)
        self.flat.set_sum()
        self.step()
        return losses

    @torch.no_grad()
    def collect(self, images: Tensor) -> None:
        """Add images of U to the next centres."""
        self.train_mode()
        with batch_statistics(self.network, updated=False):
            found = self.network.trunk(images)
        logits = self.network.heads[TARGET_HEAD](found)
        self.centres.collect(self.directions(pooled(found)), logits.argmax(1), logits.shape[1])

    def directions(self, features: Tensor) -> Tensor:
        """Features [B, F] scaled to the norm in the settings."""
        return self.config.length * functional.normalize(features)

    def backward_source(self, batch: Batch) -> float:
        """Add the gradient of a source's loss; return the loss on its original labels."""
        centres = self.centres.centres
        bent = batch.head == TARGET_HEAD and self.progress >= self.config.warm_up
        if not bent or centres is None:
            return self.backward(batch, 0)
        self.train_mode()
        self.flat.collect_in(0)
        found = self.network.trunk(batch.images)
        logits = self.network.heads[batch.head](self.network.dropout(found))
        own = loss(logits, batch.labels, self.soft_direction)
        suggested = self.suggested(pooled(found).detach(), centres)
        alpha = self.config.alpha
        value = (1.0 - alpha) * own + alpha * functional.cross_entropy(logits, suggested)
        value.backward()  # type: ignore[no-untyped-call]  # untyped in torch
        return self.figure(own)

    def suggested(self, features: Tensor, centres: Tensor) -> Tensor:
        """Labels [B, C] from the distances between features [B, F] and centres [C, F]."""
        distances = torch.cdist(self.directions(features), centres)
        return (-self.config.temperature * distances).softmax(1)

    def state_dict(self) -> dict[str, Any]:
        """The base class's state and the centres."""
        return {**super().state_dict(), "centres": self.centres.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state from `state_dict`, so that training resumes exactly."""
        super().load_state_dict(state)
        self.centres.load_state_dict(state["centres"])
