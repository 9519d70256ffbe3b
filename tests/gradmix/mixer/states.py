"""States of models, compared."""

import torch
from torch import nn

EXACT = {"rtol": 1e-9, "atol": 1e-12}


def state_of(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def assert_same_state(model: nn.Module, other: dict[str, torch.Tensor], **tolerance) -> None:
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, other[name], **(tolerance or EXACT))
