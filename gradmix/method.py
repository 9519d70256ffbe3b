"""What every training method shares: network, flat parameters, optimiser, passes, state."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeVar

import torch
from torch import Tensor, nn

from gradmix.gradients import FlatParameters
from gradmix.grouping import Grouping
from gradmix.losses import Direction, loss
from gradmix.networks import Network, predict
from gradmix.problem import TARGET_HEAD
from gradmix.sampling import Batch

SourceScope = Literal["all", "target_classes", "none"]
"""Sources that a method reads: all, those with the target's label space, or none."""

Data = TypeVar("Data")


@dataclass(frozen=True, kw_only=True)
class OptimiserConfig:
    """SGD with momentum (§4.1); defaults are the paper's for digits.

    Raises:
        ValueError: if the learning rate is not positive or the momentum not in [0, 1).
    """

    learning_rate: float = 0.05
    momentum: float = 0.9

    def __post_init__(self) -> None:
        """Refuse values that no descent can have."""
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate must be positive, found {self.learning_rate}.")
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum must be in [0, 1), found {self.momentum}.")


@dataclass(frozen=True, kw_only=True)
class TargetConfig:
    """Setting of every method that reads V.

    Attributes:
        v_updates_statistics: whether V's passes update the running statistics of batch norm, which
            prediction uses. Gradients are the same either way: in training each pass is normalised
            by its own batch.
    """

    v_updates_statistics: bool = True


class Method:
    """Base of the methods; one `update` is one step of descent.

    Args:
        network: trained in place; `forward(x, head)`, last layers under `heads`.
        sources: names of the source streams, in the order of the batches.
        optimiser: learning rate and momentum.
        config: of the method's own dataclass of settings, as a subclass annotates it.
        rows: passes whose gradients are kept apart.
        grouping: which trunk parameters form a layer.
        soft_direction: of the divergence that label distributions are trained by.
    """

    name: ClassVar[str]
    """The method's row in `METHODS`."""
    version: ClassVar[int] = 1
    """Raised when what the method computes changes: earlier trainings are then not its own."""
    source_scope: ClassVar[SourceScope] = "all"
    uses_target: ClassVar[bool] = True
    uses_unlabelled: ClassVar[bool] = False
    """What `update` reads: sources, V, U. A method is handed nothing that it does not declare."""
    starts_from: ClassVar[str | None] = None
    """The method whose trained model this one starts from; None: random weights."""
    needs_map: ClassVar[bool] = False
    """Whether the trunk has to end in a map [B, F, h, w]."""
    config: object

    def __init__(
        self,
        network: Network,
        sources: Sequence[str],
        optimiser: OptimiserConfig,
        config: object,
        rows: int = 1,
        grouping: Grouping = "layer",
        soft_direction: Direction = "reverse",
    ) -> None:
        self.network, self.sources = network, tuple(sources)
        self.adapt(network, self.sources)
        self.optimiser, self.config = optimiser, config
        self.soft_direction = soft_direction
        self.flat = FlatParameters(network, rows, grouping)
        self._velocity = torch.zeros_like(self.flat.vector)

    @classmethod
    def reads_source(cls, head: str) -> bool:
        """Whether the method reads a source whose labels train this head."""
        if cls.source_scope == "target_classes":
            return head == TARGET_HEAD
        return cls.source_scope == "all"

    @staticmethod
    def adapt(network: Network, sources: Sequence[str]) -> None:
        """Change a plain network in place to the one that the method trains; here, not at all.

        What predicts with a trained model adapts a fresh network first, then loads the weights.
        """

    def update(
        self, sources: Sequence[Batch], target: Batch | None, unlabelled: Tensor | None = None
    ) -> dict[str, float]:
        """One step on a mini-batch of every source, of V and of U; returns figures for the curves.

        Args:
            sources: a mini-batch of every source that the method reads, in order.
            target: of V, if the method uses it.
            unlabelled: images [B, C, H, W] of U, if the method uses it.

        Returns:
            Losses in nats and the like. Keys that start with `count/` are added up between two
            validations, others averaged.

        Raises:
            ValueError: if a mini-batch that the method declares is missing.
            FloatingPointError: if a gradient that decides the step holds NaN or Inf.
        """
        raise NotImplementedError

    def required(self, data: Data | None, what: str) -> Data:
        """The data, which the method has declared that it uses.

        Raises:
            ValueError: if they are missing.
        """
        if data is None:
            raise ValueError(f"{self.name} trains on {what}, found no batch of it.")
        return data

    def predict(self, images: Tensor) -> Tensor:
        """Logits [B, C] of the target's classes for uint8 images [B, H, W, C], without training."""
        return predict(self.network, images)

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step depends on, besides the streams."""
        return {"network": copied_state(self.network), "velocity": self._velocity.clone()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on exactly where `state_dict` was taken."""
        self.network.load_state_dict(state["network"])
        self._velocity.copy_(state["velocity"])

    def backward(self, batch: Batch, row: int, *, update_statistics: bool = True) -> float:
        """Add the gradient of a batch's mean loss to a row; returns the loss.

        Every data set has a pass of its own, so that batch normalisation normalises it by its own
        batch; `update_statistics=False` leaves the running statistics alone.
        """
        self.network.train()
        self.flat.collect_in(row)
        with batch_statistics(self.network, updated=update_statistics):
            logits = self.network(batch.images, batch.head)
            value = loss(logits, batch.labels, self.soft_direction)
        value.backward()  # type: ignore[no-untyped-call]  # untyped in torch
        return float(value.detach())

    @property
    def v_updates_statistics(self) -> bool:
        """Whether V's passes update running statistics: the setting of those that read V."""
        return isinstance(self.config, TargetConfig) and self.config.v_updates_statistics

    def backward_v(self, batch: Batch, row: int) -> float:
        """`backward` of V, which moves running statistics as the settings say."""
        return self.backward(batch, row, update_statistics=self.v_updates_statistics)

    def descend(
        self, sources: Mapping[str, Batch], target: Batch | None = None, scale: float = 1.0
    ) -> dict[str, float]:
        """One plain step along the scaled sum of the gradients of sources and of V (Eq. 1)."""
        self.flat.zero()
        losses = {f"loss/{name}": self.backward(batch, 0) for name, batch in sources.items()}
        if target is not None:
            losses["loss/V"] = self.backward_v(target, 0)
        self.flat.set_sum(scale)
        self.step()
        return losses

    def step(self, scale: float = 1.0) -> None:
        """SGD with momentum along the flat gradient; `scale` multiplies the learning rate (eta).

        Two lines of our own: importing `torch.optim` costs every training a second and 150 MiB.
        """
        self._velocity.mul_(self.optimiser.momentum).add_(self.flat.gradient)
        self.flat.vector.add_(self._velocity, alpha=-self.optimiser.learning_rate * scale)


def copied_state(network: Network) -> dict[str, Tensor]:
    """A network's state in memory of its own, in the default layout."""
    return {
        name: value.detach().clone(memory_format=torch.contiguous_format)
        for name, value in network.state_dict().items()
    }


@contextmanager
def batch_statistics(network: Network, *, updated: bool) -> Iterator[None]:
    """Within the context, batch normalisation updates its running statistics or not."""
    norms = [
        module
        for module in network.modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm)
    ]
    tracked = [norm.track_running_stats for norm in norms]
    if not updated:
        for norm in norms:
            norm.track_running_stats = False
    try:
        yield
    finally:
        for norm, before in zip(norms, tracked, strict=True):
            norm.track_running_stats = before
