"""Shared by the tests of the pipeline: drawn experiments."""

import pytest

from flows.experiment.experiment_file import load_experiment
from tests.flows.pipeline.drawn import DRAWS, SEARCHED, TABLES_AND_FIGURE_3, drawn


@pytest.fixture(scope="module")
def small():
    """Two k, two draws, three learning rates."""
    return drawn(load_experiment("digits", "small", SEARCHED | DRAWS | TABLES_AND_FIGURE_3))


@pytest.fixture(scope="module")
def demo():
    """One learning rate."""
    return drawn(load_experiment("digits", "demo"))


@pytest.fixture(scope="module")
def whole_demo():
    """The same with every row."""
    return drawn(load_experiment("digits", "demo", {("outputs", "rows"): ("", None)}))
