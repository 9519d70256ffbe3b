"""Shared by all tests: how they are run, toy sets, and the processes over a home folder."""

import os
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import torch
from hypothesis import settings
from torch import Tensor

# Half of Hypothesis' own number of examples keeps the default run short; for many, add
# `--hypothesis-profile thorough`.
settings.register_profile("dev", deadline=None, max_examples=50)
settings.register_profile("ci", deadline=None, max_examples=50, derandomize=True)
settings.register_profile("thorough", deadline=None, max_examples=1000)
settings.load_profile("ci" if os.environ.get("CI") else "dev")

torch.set_num_threads(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that start servers come first: a long file at the end would leave a worker idle."""
    with_servers = {item.path for item in items if item.get_closest_marker("flow")}
    items.sort(key=lambda item: item.path not in with_servers)


ToySet = Callable[..., tuple[Tensor, Tensor]]


def _toy_set(
    classes: int, per_class: int, *, seed: int, first_row: int = 0, slope: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Images uint8 [N, 16, 16, 1] with a bright bar whose row tells the class, and labels [N].

    `slope` tilts the brightness from left to right: another domain with the same classes.
    """
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(classes).repeat(per_class)
    images = 60.0 + 25.0 * torch.randn(len(labels), 16, 16, generator=generator)
    images += slope * torch.linspace(-40.0, 40.0, 16)
    for image, label in zip(images, labels.tolist(), strict=True):
        row = first_row + 3 * label
        image[row : row + 3] += 110.0
    return images.clamp(0.0, 255.0).to(torch.uint8)[..., None], labels


@pytest.fixture(scope="session")
def toy_set() -> ToySet:
    """Maker of separable toy image sets, made on the spot."""
    return _toy_set


def _processes_over(home: Path) -> list[list[str]]:
    """Command line and folder of every process that works in a home folder now."""
    found = []
    for process in psutil.process_iter():
        try:
            words = [*process.cmdline(), process.cwd()]
        except psutil.Error:
            continue
        if any(str(home) in word for word in words):
            found.append(words)
    return found


@pytest.fixture(scope="session")
def processes_over() -> Callable[[Path], list[list[str]]]:
    """Finds the processes that work in a home folder, by their words and their folder."""
    return _processes_over
