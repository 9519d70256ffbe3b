"""Gradients of the passes of one step, kept apart by the data that they are of."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal, get_args

from torch import Tensor, nn

from gradmix.grouping import lies_in

Memory = Literal["device", "cpu"]
Parameters = Mapping[str, nn.Parameter]

_SHARDED = ("DTensor", "FlatParameter")


class Passes:
    """What `backward` leaves in `p.grad`, one set of gradients per data set.

    Within `collect`, `p.grad` holds the gradients that the data set has had so far, so that further
    passes add to them as they always do; outside, it is what it was before. Gradients are therefore
    those that PyTorch would hand to an optimiser, whatever made them: autocast, a compiled model,
    distributed training.

    Args:
        model: as it is called, in its wrappers.
        only: parameters that the passes train, as in `lies_in`; none: all.
        memory: `device`: gradients stay where they are made; `cpu`: they wait in main memory.

    Raises:
        ValueError: if `memory` is unknown or gradients come in shards.
    """

    def __init__(self, model: nn.Module, only: Sequence[str], memory: Memory) -> None:
        if memory not in get_args(Memory):
            raise ValueError(f"memory must be one of device, cpu. Found {memory!r}.")
        self.module, self._only, self._memory = unwrapped(model), tuple(only), memory
        self._distributed = isinstance(model, nn.parallel.DistributedDataParallel)
        # Such gradients lie in buffers that the next pass writes to.
        self._in_buckets = bool(getattr(model, "gradient_as_bucket_view", False))
        self._open: str | None = None
        self._found: dict[str, dict[str, Tensor]] = {}
        _refuse_shards(self.module)

    def parameters(self) -> dict[str, nn.Parameter]:
        """Those that the passes train now, by name."""
        return {name: p for name, p in self._trainable() if self._trains(name)}

    def refuse_inside(self, what: str) -> None:
        """Refuse what has no place inside a pass.

        Raises:
            RuntimeError: if a pass is open.
        """
        if self._open is not None:
            raise RuntimeError(f"{what} found inside {self._open}; leave that with-block first.")

    def require(self, what: str, names: Sequence[str]) -> None:
        """Refuse to go on without a pass of every data set named.

        Raises:
            RuntimeError: if one is missing, or open.
        """
        self.refuse_inside(what)
        missing = [name for name in names if name not in self._found]
        if missing:
            raise RuntimeError(
                f"{what} needs a pass of {', '.join(names)}; found none of {', '.join(missing)} "
                "since the last step."
            )

    def refuse_unmixed(self, what: str) -> None:
        """Refuse what has no place before the step's passes are mixed.

        Raises:
            RuntimeError: if there are such passes, or one is open.
        """
        self.refuse_inside(what)
        if self._found:
            raise RuntimeError(
                f"{what} found passes that are not mixed; call mixer.mix() first, or "
                "mixer.discard() to give them up."
            )

    def gradients(
        self, name: str, parameter: nn.Parameter, passes: Sequence[str]
    ) -> list[Tensor | None]:
        """Gradients of a parameter in the passes named; None where a pass does not reach it.

        Raises:
            RuntimeError: if the parameter has another shape or type than its gradients.
        """
        found = [self._found.get(which, {}).get(name) for which in passes]
        return [None if g is None else _fitting(g, name, parameter) for g in found]

    def forget(self, parameter: str | None = None) -> None:
        """Let go of the gradients of a parameter, or of all."""
        if parameter is None:
            self._found.clear()
        for found in self._found.values():
            found.pop(parameter or "", None)

    @contextmanager
    def collect(self, name: str, shown: str) -> Iterator[None]:
        """Add the gradients of all backward passes inside to those of a data set.

        If the block raises, all passes of the step are forgotten, as they are no longer whole.

        Args:
            name: of the data set.
            shown: the with-block, for messages.

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
        """Within the context, `p.grad` is what is given, and the other parameters are frozen."""
        others = [p for name, p in self._trainable() if not self._trains(name)]
        before = [(p, p.grad) for p in [*parameters.values(), *others]]
        for parameter, _ in before:
            parameter.grad = None
        try:
            for name, gradient in given.items():
                parameters[name].grad = gradient
            # Distributed training waits for the gradients of all that was trainable at its start.
            for parameter in () if self._distributed else others:
                parameter.requires_grad = False
            yield
        finally:
            for parameter in others:
                parameter.requires_grad = True
            for parameter, earlier in before:
                parameter.grad = earlier

    def _given(self, name: str, parameters: Parameters) -> dict[str, Tensor]:
        """The data set's gradients so far, where the parameters are."""
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
    """The gradient where its parameter is."""
    if (parameter.shape, parameter.dtype) != (gradient.shape, gradient.dtype):
        raise RuntimeError(
            f"expected the parameter {name} as {gradient.dtype} {list(gradient.shape)}, as its "
            f"gradient, found {parameter.dtype} {list(parameter.shape)}; convert the model before "
            "the step's first pass."
        )
    return gradient.to(parameter.device)


def _refuse_shards(module: nn.Module) -> None:
    for name, parameter in module.named_parameters():
        if {type(parameter).__name__, type(parameter.data).__name__} & set(_SHARDED):
            raise ValueError(
                f"expected whole parameters, found the shard {name}; sharded training keeps no "
                "whole gradients, use DistributedDataParallel."
            )
