"""Base of the training methods: network, flat parameters, optimiser, passes, state."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar, cast

import torch
from torch import Tensor

from gradmix.batch_norm import batch_statistics
from gradmix.declarations.choices import Direction, Grouping
from gradmix.declarations.declaration import Declaration
from gradmix.declarations.optimiser import OptimiserConfig
from gradmix.declarations.target import TargetConfig
from gradmix.gradients import FlatParameters
from gradmix.losses import loss
from gradmix.networks import Network, predict
from gradmix.optimiser import Optimiser
from gradmix.sampling import Batch

Data = TypeVar("Data")


class Method:
    """Base class of the methods; each `update` is one step of descent.

    Args:
        network: trained in place; takes `forward(x, head)`, with the last layers under `heads`.
        sources: names of the source streams, in the order of the batches.
        optimiser: update rule and learning rate.
        config: settings, an instance of the dataclass the subclass annotates.
        rows: number of passes whose gradients are kept separate.
        grouping: which trunk parameters form a layer.
        soft_direction: direction of the divergence used as the loss on label distributions.
    """

    declaration: ClassVar[Declaration]
    """The settings, and the data that `update` reads; a method gets only what it declares."""
    config: object
    pace: float = 1.0
    """Factor on the learning rate in the current step; the loop sets it from the schedule."""
    progress: float = 0.0
    """Fraction of the training steps done, in [0, 1); the loop sets it."""
    deferred: bool = False
    """Whether metrics stay on the device until the loop reads them at a validation, so that no step
    waits for the device; set if the parameters are not on the CPU."""

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

    @staticmethod
    def adapt(network: Network, sources: Sequence[str]) -> None:
        """Turn a plain network into the one the method trains, in place; a no-op by default.

        To predict with a trained model, adapt a fresh network first, then load the weights.
        """

    def update(
        self, sources: Sequence[Batch], target: Batch | None, unlabelled: Tensor | None = None
    ) -> dict[str, float]:
        """Take one step on a mini-batch of each source, V and U; return metrics to log.

        Args:
            sources: a mini-batch of each source the method reads, in order.
            target: a mini-batch of V, if the method uses it.
            unlabelled: images [B, C, H, W] of U, if the method uses it.

        Returns:
            Losses in nats and other metrics, as `figure` returns them. Between two validations,
            keys that start with `count/` are summed, others averaged.

        Raises:
            ValueError: if a mini-batch the method declares is missing.
            FloatingPointError: if a gradient that determines the step contains NaN or Inf; if
                `deferred`, a metric is NaN instead.
        """
        raise NotImplementedError

    def figure(self, value: Tensor) -> float:
        """A one-element tensor as a metric to log.

        Typed as a float; if `deferred`, it is still a tensor on the device.
        """
        value = value.detach()
        return cast("float", value) if self.deferred else float(value)

    def required(self, data: Data | None, what: str) -> Data:
        """The data, which the method has declared it uses.

        Raises:
            ValueError: if the data is missing.
        """
        if data is None:
            raise ValueError(f"{self.declaration.name} trains on {what}, found no batch of it.")
        return data

    def predict(self, images: Tensor) -> Tensor:
        """Logits [B, C] over the target's classes for uint8 images [B, H, W, C], in eval mode."""
        return predict(self.network, images)

    def state_dict(self) -> dict[str, Any]:
        """Everything the next step depends on, apart from the streams."""
        return {"network": copied_state(self.network), "optimiser": self._descent.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state from `state_dict`, so that training resumes exactly."""
        self.network.load_state_dict(state["network"])
        self._descent.load_state_dict(state["optimiser"])

    def backward(self, batch: Batch, row: int, *, update_statistics: bool = True) -> float:
        """Add the gradient of a batch's mean loss to a row; return the loss.

        Each data set gets a separate pass, so that batch norm normalises it by its own batch;
        `update_statistics=False` leaves the running statistics unchanged.
        """
        self.train_mode()
        self.flat.collect_in(row)
        with batch_statistics(self.network, updated=update_statistics):
            logits = self.network(batch.images, batch.head)
            value = loss(logits, batch.labels, self.soft_direction)
        value.backward()  # type: ignore[no-untyped-call]  # untyped in torch
        return self.figure(value)

    def train_mode(self) -> None:
        """Put the network in the mode `backward` needs."""
        self.network.train()

    @property
    def v_updates_statistics(self) -> bool:
        """Whether V's passes update running statistics; False for methods that do not read V."""
        return isinstance(self.config, TargetConfig) and self.config.v_updates_statistics

    def backward_v(self, batch: Batch, row: int) -> float:
        """Run `backward` on V, updating running statistics if the settings say so."""
        return self.backward(batch, row, update_statistics=self.v_updates_statistics)

    def descend(
        self,
        sources: Mapping[str, Batch],
        target: Batch | None = None,
        scale: float = 1.0,
        rate_factor: float = 1.0,
    ) -> dict[str, float]:
        """Take one plain step along the scaled sum of the source and V gradients (Eq. 1).

        `scale` has no effect under AdamW; `rate_factor` multiplies the learning rate.
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
        """Learning rate of the current step, before eta."""
        return self.optimiser.learning_rate * self.pace

    def step(self, scale: float | Tensor = 1.0) -> None:
        """Take one step along the flat gradient; `scale` (eta) multiplies the scheduled rate."""
        self._descent.step(self.flat.vector, self.flat.gradient, self.rate * scale)


def copied_state(network: Network) -> dict[str, Tensor]:
    """A copy of a network's state, in the default memory layout."""
    return {
        name: value.detach().clone(memory_format=torch.contiguous_format)
        for name, value in network.state_dict().items()
    }
