"""Expected times of trainings: of the same kind, of the same network, or unknown."""

from dataclasses import replace

import pytest

from flows.pipeline.durations import COSTS, Measured, TrainingWork, training_time
from gradmix.methods import METHODS

WORK = TrainingWork(method="joint", streams=3, batch_size=32, steps=100, network="convnet")


def took(step, **changes):
    return Measured(work=replace(WORK, **changes), step=step)


def test_the_median_step_of_the_same_kind_counts():
    # One training on a busy machine does not matter, nor does another method.
    known = [took(0.1), took(0.1), took(9.0), took(5.0, method="gradmix_vat", streams=4)]
    assert training_time(WORK, known) == pytest.approx(10.0)
    assert training_time(replace(WORK, steps=300), known) == pytest.approx(30.0)


def test_rows_that_read_u_are_not_counted_as_quick_ones():
    """A step of VAT with S_u: 4 streams of 3, at 2.5 times the cost."""
    vat = replace(WORK, method="gradmix_vat", streams=4)
    expected = 10.0 * 4 / 3 * COSTS["gradmix_vat"] / COSTS["joint"]
    assert training_time(vat, [took(0.1)]) == pytest.approx(expected)
    assert training_time(vat, [took(0.1), took(0.7, method="gradmix_vat", streams=4)]) == 70.0


def test_another_network_tells_nothing():
    assert training_time(WORK, [took(0.1, network="resnet18")]) is None
    assert training_time(WORK, []) is None


def test_only_methods_are_named_and_none_is_cheaper_than_half_of_joint():
    assert set(COSTS) <= set(METHODS)
    assert min(COSTS.values()) >= 0.5
