"""Gradients of one step's passes, kept separately for each data set."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal, get_args

from torch import Tensor, nn

from gradmix.grouping import lies_in

Memory = Literal["device", "cpu"]
Parameters = Mapping[str, nn.Parameter]

_SHARDED = ("DTensor", "FlatParameter")


class Passes:
    """The gradients `backward` leaves in `p.grad`, one set per data set.

    Inside `collect`, `p.grad` holds the data set's gradients so far, so further passes accumulate
    as usual; outside, it keeps its previous value. The gradients are therefore exactly those
    PyTorch would hand to an optimiser, even under autocast, compilation or distributed training.

    Args:
        model: the model as called, including its wrappers.
        only: places of the parameters that the passes train, as in `lies_in`; empty means all.
        memory: where gradients are kept: `device`, where they were computed, or `cpu`.

    Raises:
        ValueError: if `memory` is unknown or the parameters are sharded.
    """

    def __init__(self, model: nn.Module, only: Sequence[str], memory: Memory) -> None:
        if memory not in get_args(Memory):
            raise ValueError(f"memory must be one of device, cpu. Found {memory!r}.")
        self.module, self._only, self._memory = unwrapped(model), tuple(only), memory
        self._distributed = isinstance(model, nn.parallel.DistributedDataParallel)
        # These gradients are views of buffers that the next pass overwrites.
        self._in_buckets = bool(getattr(model, "gradient_as_bucket_view", False))
        self._open: str | None = None
        self._found: dict[str, dict[str, Tensor]] = {}
        _refuse_shards(self.module)

    def parameters(self) -> dict[str, nn.Parameter]:
        """The parameters currently trained, by name."""
        return {name: p for name, p in self._trainable() if self._trains(name)}

    def refuse_inside(self, what: str) -> None:
        """Refuse an operation that is not allowed inside a pass.

        Raises:
            RuntimeError: if a pass is open.
        """
        if self._open is not None:
            raise RuntimeError(f"{what} called inside {self._open}; leave that with-block first.")

    def require(self, what: str, names: Sequence[str]) -> None:
        """Require a pass over each of the named data sets.

        Raises:
            RuntimeError: if one is missing, or a pass is open.
        """
        self.refuse_inside(what)
        missing = [name for name in names if name not in self._found]
        if missing:
            raise RuntimeError(
                f"{what} needs passes over {', '.join(names)}; found none over "
                f"{', '.join(missing)} since the last step."
            )

    def refuse_unmixed(self, what: str) -> None:
        """Refuse an operation while the step's passes are unmixed.

        Raises:
            RuntimeError: if there are unmixed passes, or a pass is open.
        """
        self.refuse_inside(what)
        if self._found:
            raise RuntimeError(
                f"{what} found unmixed passes; call mixer.mix() first, or mixer.discard() to drop "
                "them."
            )

    def gradients(
        self, name: str, parameter: nn.Parameter, passes: Sequence[str]
    ) -> list[Tensor | None]:
        """Gradients of a parameter in the named passes; None if a pass did not reach it.

        Raises:
            RuntimeError: if the parameter's shape or dtype differs from its gradients'.
        """
        found = [self._found.get(which, {}).get(name) for which in passes]
        return [None if g is None else _fitting(g, name, parameter) for g in found]

    def forget(self, parameter: str | None = None) -> None:
        """Free the gradients of one parameter, or of all."""
        if parameter is None:
            self._found.clear()
        for found in self._found.values():
            found.pop(parameter or "", None)

    @contextmanager
    def collect(self, name: str, shown: str) -> Iterator[None]:
        """Add the gradients of the backward passes inside the block to those of a data set.

        If the block raises, all passes of the step are dropped, since they are incomplete.

        Args:
            name: name of the data set.
            shown: the with-block as shown in messages.

        Raises:
            RuntimeError: if another pass is open, or no backward pass runs inside.
        """
        self.refuse_inside(shown)
        parameters = self.parameters()
        given = self._given(name, parameters)
        self._open = shown
        try:
            with self._set_aside(parameters, given):
                versions = {known: gradient._version for known, gradient in given.items()}
                yield
                found = {n: p.grad for n, p in parameters.items() if p.grad is not None}
        except BaseException:
            self._found.clear()
            raise
        finally:
            self._open = None
        if all(given.get(n) is g and versions[n] == g._version for n, g in found.items()):
            raise RuntimeError(
                f"expected a backward pass that reaches the model inside {shown}, found none; "
                "call loss.backward() in its with-block."
            )
        self._found[name] = {n: self._kept(gradient) for n, gradient in found.items()}

    @contextmanager
    def _set_aside(self, parameters: Parameters, given: Mapping[str, Tensor]) -> Iterator[None]:
        """Replace `p.grad` by the given gradients and freeze all other parameters in the block."""
        others = [p for name, p in self._trainable() if not self._trains(name)]
        before = [(p, p.grad) for p in [*parameters.values(), *others]]
        for parameter, _ in before:
            parameter.grad = None
        try:
            for name, gradient in given.items():
                parameters[name].grad = gradient
            # DDP waits for the gradients of every parameter that was trainable at construction.
            for parameter in () if self._distributed else others:
                parameter.requires_grad = False
            yield
        finally:
            for parameter in others:
                parameter.requires_grad = True
            for parameter, earlier in before:
                parameter.grad = earlier

    def _given(self, name: str, parameters: Parameters) -> dict[str, Tensor]:
        """The data set's gradients so far, on the parameters' devices."""
        found = self._found.get(name, {})
        return {n: _fitting(g, n, parameters[n]) for n, g in found.items() if n in parameters}

    def _kept(self, gradient: Tensor) -> Tensor:
        gradient = gradient.detach()
        if self._memory == "cpu":
            return gradient.to("cpu", copy=self._in_buckets)
        return gradient.clone() if self._in_buckets else gradient

    def _trainable(self) -> Iterator[tuple[str, nn.Parameter]]:
        return ((name, p) for name, p in self.module.named_parameters() if p.requires_grad)

    def _trains(self, name: str) -> bool:
        return not self._only or lies_in(name, self._only)


def unwrapped(model: nn.Module) -> nn.Module:
    """The module inside `torch.compile`, `DistributedDataParallel` and `DataParallel`."""
    if isinstance(model, (nn.parallel.DistributedDataParallel, nn.DataParallel)):
        return unwrapped(model.module)
    compiled = getattr(model, "_orig_mod", None)
    return unwrapped(compiled) if isinstance(compiled, nn.Module) else model


def _fitting(gradient: Tensor, name: str, parameter: nn.Parameter) -> Tensor:
    """Move a gradient to its parameter's device, checking shape and dtype."""
    if (parameter.shape, parameter.dtype) != (gradient.shape, gradient.dtype):
        raise RuntimeError(
            f"expected the parameter {name} to be {gradient.dtype} {list(gradient.shape)} like its "
            f"gradient, found {parameter.dtype} {list(parameter.shape)}; convert the model before "
            "the step's first pass."
        )
    return gradient.to(parameter.device)


def _refuse_shards(module: nn.Module) -> None:
    for name, parameter in module.named_parameters():
        if {type(parameter).__name__, type(parameter.data).__name__} & set(_SHARDED):
            raise ValueError(
                f"expected unsharded parameters, found the shard {name}; sharded training keeps no "
                "full gradients, so use DistributedDataParallel."
            )
