"""Detects gradients left in `p.grad` from the previous step."""

import weakref

from torch import Tensor

from gradmix.mixer.passes import Parameters


class Leftovers:
    """Weak references to the gradients written last."""

    def __init__(self) -> None:
        self._written: dict[str, weakref.ref[Tensor]] = {}

    def remember(self, parameters: Parameters) -> None:
        """Record the current contents of `p.grad` as written."""
        self._written = {
            name: weakref.ref(parameter.grad)
            for name, parameter in parameters.items()
            if parameter.grad is not None
        }

    def refuse(self, parameters: Parameters) -> None:
        """Refuse to add to gradients written earlier.

        Raises:
            RuntimeError: if one is still in place and not zero.
        """
        for name, parameter in parameters.items():
            written = self._written.get(name, lambda: None)()
            if written is None or written is not parameter.grad or _is_zero(written):
                continue
            raise RuntimeError(
                f"expected p.grad without the last step's mixture, found it in {name}; call "
                "optimizer.zero_grad() once per step. To accumulate, run several passes before "
                "each mixer.mix()."
            )


def _is_zero(gradient: Tensor) -> bool:
    values = gradient.coalesce().values() if gradient.is_sparse else gradient
    return not values.any()
