"""What every training method shares: network, flat parameters, optimiser, passes, state."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeVar, cast

import torch
from torch import Tensor

from gradmix.batch_norm import batch_statistics
from gradmix.gradients import FlatParameters
from gradmix.grouping import Grouping
from gradmix.losses import Direction, loss
from gradmix.networks import Network, predict
from gradmix.optimiser import Optimiser, OptimiserConfig
from gradmix.problem import TARGET_HEAD
from gradmix.sampling import Batch
from gradmix.settings import later

SourceScope = Literal["all", "target_classes", "none"]
"""Sources that a method reads: all, those with the target's label space, or none."""

Data = TypeVar("Data")


@dataclass(frozen=True, kw_only=True)
class TargetConfig:
    """Setting of every method that reads V.

    Attributes:
        v_updates_statistics: whether V's passes update the running statistics of batch norm, which
            prediction uses. Gradients are the same either way: in training each pass is normalised
            by its own batch.
    """

    v_updates_statistics: bool = later(True)


class Method:
    """Base of the methods; one `update` is one step of descent.

    Args:
        network: trained in place; `forward(x, head)`, last layers under `heads`.
        sources: names of the source streams, in the order of the batches.
        optimiser: rule of the steps and its learning rate.
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
    unlabelled_ratio: ClassVar[int] = 1
    """Size of a mini-batch of U, in mini-batches of a source."""
    config: object
    pace: float = 1.0
    """Factor of the learning rate in the present step; the loop sets it by the schedule."""
    progress: float = 0.0
    """Share of the training's steps that are done, in [0, 1); the loop sets it."""
    deferred: bool = False
    """Whether figures stay on the device until the loop reads them at a validation, so that no step
    waits for the device; set where the parameters are not on the CPU."""

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
        self._descent = Optimiser(optimiser, self.flat.vector)
        self.deferred = self.flat.vector.device.type != "cpu"

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
            Losses in nats and the like, numbers as `figure` gives them. Keys that start with
            `count/` are added up between two validations, others averaged.

        Raises:
            ValueError: if a mini-batch that the method declares is missing.
            FloatingPointError: if a gradient that decides the step holds NaN or Inf; if `deferred`,
                a figure is NaN instead.
        """
        raise NotImplementedError

    def figure(self, value: Tensor) -> float:
        """A tensor of one number as a figure for the curves.

        Typed as the number that it stands for; if `deferred`, it is still on the device.
        """
        value = value.detach()
        return cast("float", value) if self.deferred else float(value)

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
        return {"network": copied_state(self.network), "optimiser": self._descent.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on exactly where `state_dict` was taken."""
        self.network.load_state_dict(state["network"])
        self._descent.load_state_dict(state["optimiser"])

    def backward(self, batch: Batch, row: int, *, update_statistics: bool = True) -> float:
        """Add the gradient of a batch's mean loss to a row; returns the loss.

        Every data set has a pass of its own, so that batch normalisation normalises it by its own
        batch; `update_statistics=False` leaves the running statistics alone.
        """
        self.train_mode()
        self.flat.collect_in(row)
        with batch_statistics(self.network, updated=update_statistics):
            logits = self.network(batch.images, batch.head)
            value = loss(logits, batch.labels, self.soft_direction)
        value.backward()  # type: ignore[no-untyped-call]  # untyped in torch
        return self.figure(value)

    def train_mode(self) -> None:
        """Put the network in the mode that `backward` needs."""
        self.network.train()

    @property
    def v_updates_statistics(self) -> bool:
        """Whether V's passes update running statistics: the setting of those that read V."""
        return isinstance(self.config, TargetConfig) and self.config.v_updates_statistics

    def backward_v(self, batch: Batch, row: int) -> float:
        """`backward` of V, which moves running statistics as the settings say."""
        return self.backward(batch, row, update_statistics=self.v_updates_statistics)

    def descend(
        self,
        sources: Mapping[str, Batch],
        target: Batch | None = None,
        scale: float = 1.0,
        rate_factor: float = 1.0,
    ) -> dict[str, float]:
        """One plain step along the scaled sum of the gradients of sources and of V (Eq. 1).

        Under AdamW `scale` leaves the step as it is; `rate_factor`, of the learning rate, does not.
        """
        self.flat.zero()
        losses = {f"loss/{name}": self.backward(batch, 0) for name, batch in sources.items()}
        if target is not None:
            losses["loss/V"] = self.backward_v(target, 0)
        self.flat.set_sum(scale)
        self.step(rate_factor)
        return losses

    @property
    def rate(self) -> float:
        """The learning rate of the present step, before eta."""
        return self.optimiser.learning_rate * self.pace

    def step(self, scale: float | Tensor = 1.0) -> None:
        """One step along the flat gradient; `scale` (eta) multiplies the scheduled rate."""
        self._descent.step(self.flat.vector, self.flat.gradient, self.rate * scale)


def copied_state(network: Network) -> dict[str, Tensor]:
    """A network's state in memory of its own, in the default layout."""
    return {
        name: value.detach().clone(memory_format=torch.contiguous_format)
        for name, value in network.state_dict().items()
    }
