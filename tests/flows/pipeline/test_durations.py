"""Expected times of trainings: of the same kind, of the same network, or unknown."""

import json
from dataclasses import replace

import pytest

from flows.pipeline.durations import Measured, TrainingWork, measured, training_time
from gradmix.declarations.methods import METHODS
from tasks.storage.artifacts import Artifact
from tests.pages import ROOT

WORK = TrainingWork(method="joint", streams=3, batch_size=32, steps=100, network="convnet")


def took(step, **changes):
    return Measured(work=replace(WORK, **changes), step=step)


def test_the_median_step_of_the_same_kind_counts():
    # One training on a busy machine does not matter, nor does another method.
    known = [took(0.1), took(0.1), took(9.0), took(5.0, method="gradmix_vat", streams=4)]
    assert training_time(WORK, known) == pytest.approx(10.0)
    assert training_time(replace(WORK, steps=300), known) == pytest.approx(30.0)


def test_rows_that_read_u_are_not_counted_as_quick_ones():
    """A step of VAT with S_u: 4 streams of 3, at its own cost."""
    vat = replace(WORK, method="gradmix_vat", streams=4)
    expected = 10.0 * 4 / 3 * METHODS["gradmix_vat"].cost / METHODS["joint"].cost
    assert training_time(vat, [took(0.1)]) == pytest.approx(expected)
    assert training_time(vat, [took(0.1), took(0.7, method="gradmix_vat", streams=4)]) == 70.0


def trained(**changes):
    """The artifact of a training of 50 steps, 20 of them before it was resumed, in 3 seconds."""
    config = {
        "method": "joint",
        "order": {"sources": ["S1", "S2"]},
        "pseudo": None,
        "training": {"batch_size": 32},
        "network": {"trunk": "convnet", "settings": {}, "frozen": ""},
    }
    return Artifact(
        label="", identity="", digest="", folder="", files={}, summary={"steps": 50},
        notes={"seconds": 3.0, "resumed_from": 20}, document={"config": config | changes},
    )  # fmt: skip


def test_a_finished_training_tells_its_seconds_per_step_since_it_was_resumed():
    found = measured(trained())
    assert found is not None
    assert found.step == pytest.approx(0.1)
    assert (found.work.streams, found.work.steps) == (3, 50)


def test_a_training_of_a_former_method_tells_nothing():
    assert measured(trained(method="former")) is None


def test_another_network_tells_nothing():
    assert training_time(WORK, [took(0.1, network="resnet18")]) is None
    assert training_time(WORK, []) is None


def test_costs_are_those_of_the_stored_benchmark():
    figures = json.loads((ROOT / "docs" / "benchmarks.json").read_text(encoding="utf-8"))
    ratio = {figure["name"]: figure["value"] for figure in figures["A training step"]["figures"]}
    only_v = {"target_only", "fine_tune", "energynet"}

    def per_image(method):
        images = 25 if method in only_v else 128 if method == "source_only" else 153
        return ratio[f"`{method}` / `source_only`"] / images

    # A new method has no figure before the next `make bench`.
    stored = [method for method in METHODS if f"`{method}` / `source_only`" in ratio]
    assert len(stored) >= 20
    found = {method: per_image(method) / per_image("joint") for method in stored}
    assert found == pytest.approx({method: METHODS[method].cost for method in stored}, rel=0.3)
