"""Device on which a model predicts."""

import torch

from tasks.models.description import ModelError


def device_named(name: str | None) -> torch.device:
    """A device by name; by default a GPU if there is one, else the CPU.

    Raises:
        ModelError: if there is no such device.
    """
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    # The error for a missing device depends on how torch was built.
    except Exception as error:
        said = next(iter(str(error).splitlines()), "")
        raise ModelError(
            f"--device: expected a device of this machine such as cpu or cuda, found {name!r} "
            f"({said}); choose another."
        ) from error
    return device
