"""Whether `p.grad` still holds what was written a step before."""

import weakref

from torch import Tensor

from gradmix.mixer.passes import Parameters


class Leftovers:
    """Knows the gradients that were written last, without keeping them alive."""

    def __init__(self) -> None:
        self._written: dict[str, weakref.ref[Tensor]] = {}

    def remember(self, parameters: Parameters) -> None:
        """Take what is in `p.grad` now for what was written."""
        self._written = {
            name: weakref.ref(parameter.grad)
            for name, parameter in parameters.items()
            if parameter.grad is not None
        }

    def refuse(self, parameters: Parameters) -> None:
        """Refuse to add to what was written.

        Raises:
            RuntimeError: if it is still there and not zero.
        """
        for name, parameter in parameters.items():
            written = self._written.get(name, lambda: None)()
            if written is None or written is not parameter.grad or _is_zero(written):
                continue
            raise RuntimeError(
                f"expected p.grad without the last step's mixture, found it in {name}; call "
                "optimizer.zero_grad() once a step. To accumulate, make several passes before one "
                "mixer.mix()."
            )


def _is_zero(gradient: Tensor) -> bool:
    values = gradient.coalesce().values() if gradient.is_sparse else gradient
    return not values.any()
