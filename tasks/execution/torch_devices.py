"""Print how many CUDA devices torch can use, and the reason if it is none, on one line."""

import sys
import warnings

import torch


def answer() -> str:
    """The number, a space, and the reason, which may be empty."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if count:
        return f"{count} "
    said = " ".join(str(warning.message) for warning in caught)
    built = torch.version.cuda or torch.version.hip
    reason = said or (
        "it finds no device" if built else f"torch {torch.__version__} is built without CUDA"
    )
    return f"0 {' '.join(reason.split())}"


if __name__ == "__main__":
    sys.stdout.write(f"{answer()}\n")
