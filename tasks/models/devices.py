"""The device that a model predicts on."""

import torch

from tasks.models.description import ModelError


def device_named(name: str | None) -> torch.device:
    """The device of that name; without one a GPU if there is any, else the CPU.

    Raises:
        ModelError: if there is no such device.
    """
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    # What a missing device raises depends on how torch was built.
    except Exception as error:
        said = next(iter(str(error).splitlines()), "")
        raise ModelError(
            f"--device: expected a device of this machine such as cpu or cuda, found {name!r} "
            f"({said}); choose another."
        ) from error
    return device
