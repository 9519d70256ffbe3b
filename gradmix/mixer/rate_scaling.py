"""Scales the learning rate of any optimiser by eta for one step (Eq. 10)."""

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

Group = dict[str, Any]


class RateScaling:
    """Multiplies the learning rate of optimisers by eta during their next step.

    The rate is restored right after the step, so schedulers and checkpoints never see the scaled
    one. This uses PyTorch's global optimiser hooks, registered while this object is alive, so a
    training loop needs no changes.

    Args:
        concerns: returns whether to scale an optimiser's step.
        refuse: called before such a step with whether an eta is set; may raise.
    """

    def __init__(
        self, concerns: Callable[[Optimizer], bool], refuse: Callable[[bool], None]
    ) -> None:
        self._concerns, self._refuse = concerns, refuse
        self._eta: float | None = None
        self._done: weakref.WeakSet[Optimizer] = weakref.WeakSet()
        self._rates: list[tuple[Group, float | Tensor]] = []
        for register, method in (
            (register_optimizer_step_pre_hook, self._before),
            (register_optimizer_step_post_hook, self._after),
        ):
            weakref.finalize(self, register(_weakly(method)).remove)

    def expect(self, eta: float | None) -> None:
        """Scale the next step of each optimiser concerned by eta; None scales no step."""
        self._put_back()
        self._eta = eta
        self._done.clear()

    def _before(self, optimizer: Optimizer) -> None:
        # If the last step raised, the post hook did not run.
        self._put_back()
        if optimizer in self._done or not self._concerns(optimizer):
            return
        self._refuse(self._eta is not None)
        if self._eta is None:
            return
        for group in optimizer.param_groups:
            self._rates.append((group, _scaled(group, self._eta, optimizer)))
        self._done.add(optimizer)

    def _after(self, _: Optimizer) -> None:
        self._put_back()

    def _put_back(self) -> None:
        for group, rate in self._rates:
            _set(group, rate)
        self._rates.clear()


def _weakly(method: Callable[[Optimizer], None]) -> Callable[..., None]:
    """A hook that holds only a weak reference to the method's object."""
    weak = weakref.WeakMethod(method)

    def hook(optimizer: Optimizer, *_: object) -> None:
        alive = weak()
        if alive is not None:
            alive(optimizer)

    return hook


def _scaled(group: Group, eta: float, optimizer: Optimizer) -> float | Tensor:
    """Scale a group's rate in place; return the previous one.

    Raises:
        ValueError: if the optimiser has no learning rate.
    """
    rate = group.get("lr")
    if rate is None:
        raise ValueError(
            f"expected an optimiser with a learning rate, found {type(optimizer).__name__}; "
            "build the Mixer with adaptive=False and use step.rho yourself."
        )
    # Captured kernels read a tensor rate from its address, so it is changed in place.
    before: float | Tensor = rate.clone() if isinstance(rate, Tensor) else rate
    _set(group, before * eta)
    return before


def _set(group: Group, rate: float | Tensor) -> None:
    if isinstance(group["lr"], Tensor) and isinstance(rate, Tensor):
        with torch.no_grad():
            group["lr"].copy_(rate)
    else:
        group["lr"] = rate
