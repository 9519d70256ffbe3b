"""The studies beyond the paper: what decides them, and what they compute."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from tasks.jobs import rho_study as rho_study_job
from tasks.jobs import selection_study as selection_study_job
from tasks.jobs import train as train_job
from tasks.jobs.inputs.rho_study import RhoStudyJob
from tasks.jobs.inputs.selection_study import SelectionStudyJob
from tasks.stages import rho_study, selection_study
from tests.tasks.given import given

DIGESTS = {"hyper_validation": "h" * 64, "V": "v" * 64, "U": "u" * 64}
TRAINED = {"method": "gradmix", "order": {"sources": ["S1", "S2"]}, "pseudo": None}


@pytest.fixture(scope="module")
def trained(toy, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Folders of a good model and of one that was hardly trained."""
    folders = []
    for steps in (40, 1):
        folder = tmp_path_factory.mktemp("trained")
        (folder / "output").mkdir()
        training = {"steps": steps, "validate_every": steps, "batch_size": 8, "v_whole_up_to": 64}
        train_job.run(toy.train_job(training=training), folder)
        folders.append(folder / "output")
    return folders


def model(folder: Path) -> dict[str, Any]:
    return {"folder": str(folder), "method": "gradmix", "sources": ["S1", "S2"]}


# Hyper-validation sizes.


@pytest.fixture
def sizes_job(toy, trained: list[Path]) -> dict[str, Any]:
    whole = toy.job()
    return {
        **{name: whole[name] for name in ("network", "heads", "classes", "target", "split")},
        "seed": 3,
        "sizes": [2, 4, 100],
        "selections": 50,
        "models": [model(folder) for folder in trained],
        "values": [0.9, 0.2],
    }


def test_larger_sets_find_the_better_model(sizes_job: dict[str, Any], tmp_path: Path) -> None:
    summary = selection_study_job.run(given(SelectionStudyJob, sizes_job), tmp_path).summary

    assert (summary["cells"], summary["mean"], summary["best"]) == (2, 0.55, 0.9)
    # Hyper-validation holds eight samples; all of them are one subset.
    assert [(row["size"], row["selections"]) for row in summary["sizes"]] == [
        (2, 50),
        (4, 50),
        (8, 1),
    ]
    accuracies = [row["test_accuracy"] for row in summary["sizes"]]
    assert accuracies == sorted(accuracies)
    assert accuracies[-1] == 0.9
    assert summary["sizes"][-1]["deviation"] == 0.0


@pytest.fixture
def sizes_inputs(artifact_of, toy) -> dict[str, Any]:
    job = toy.job()
    cells = {name: artifact_of(name, document={"config": TRAINED}) for name in ("a", "b")}
    scores = {name: {"accuracy": 0.5, "n": 10} for name in cells}
    return {
        "label": "sizes",
        "cells": cells,
        "evaluation": artifact_of("evaluation", {"test": scores}),
        "target": artifact_of("target"),
        "split": artifact_of("split", {"digests": DIGESTS}),
        "seed": 0,
        **{name: job[name] for name in ("classes", "network", "heads")},
    }


def test_cells_their_scores_and_hyper_validation_decide(sizes_inputs, artifact_of) -> None:
    def identity(**changes: Any) -> str:
        return selection_study.describe(
            given(selection_study.SelectionStudyInputs, sizes_inputs | changes)
        ).identity

    cells = sizes_inputs["cells"]
    other = DIGESTS | {"hyper_validation": "other"}
    changes: list[dict[str, Any]] = [
        {},
        {"cells": {"a": cells["a"]}},
        {"cells": {"b": cells["b"], "a": cells["a"]}},
        {"evaluation": artifact_of("new", {"test": {}})},
        {"target": artifact_of("new")},
        {"split": artifact_of("split", {"digests": other})},
        {"seed": 1},
        {"classes": ["3", "2"]},
    ]
    assert len({identity(**change) for change in changes}) == len(changes)
    assert identity(label="b") == identity()
    other_v = artifact_of("split", {"digests": DIGESTS | {"V": "other"}})
    assert identity(split=other_v) == identity()


# Rho.


@pytest.fixture
def rho_job(toy, trained: list[Path]) -> dict[str, Any]:
    job: dict[str, Any] = toy.job(training={"batch_size": 8, "v_whole_up_to": 64})
    del job["initial"]
    return job | {"momentum": 0.0, "probes": 4, "trained": str(trained[0])}


def test_mini_batches_are_probed_at_the_start_and_at_the_end(
    rho_job: dict[str, Any], tmp_path: Path
) -> None:
    initial, end = rho_study_job.run(given(RhoStudyJob, rho_job), tmp_path).summary["parts"]

    assert (initial["start"], end["start"]) == ("initial", "trained")
    layers = len(initial["layers"])
    assert layers == 5
    for part in (initial, end):
        assert len(part["probes"]) == 4
        assert {len(probe["changes"]) for probe in part["probes"]} == {layers}
        assert len({probe["rho"] for probe in part["probes"]}) == 4
    # From random weights a step along the mixture helps, once statistics are no longer 0 and 1.
    assert sum(probe["change"] for probe in initial["probes"]) < 0
    assert abs(initial["loss"] - math.log(2)) > 1e-3


def test_the_finished_model_is_what_is_probed_at_the_end(
    toy, rho_job: dict[str, Any], trained: list[Path], tmp_path: Path
) -> None:
    losses = []
    for folder in trained:
        end = rho_study_job.run(
            given(RhoStudyJob, rho_job | {"trained": str(folder)}), tmp_path
        ).summary["parts"][1]
        losses.append(end["loss"])
        curve = json.loads((folder / "curve.json").read_text())
        assert end["loss"] == pytest.approx(curve[-1]["hyper_validation/loss"], rel=1e-5)
    assert losses[0] != losses[1]


def test_the_same_seed_probes_the_same(rho_job: dict[str, Any], tmp_path: Path) -> None:
    first, again = (rho_study_job.run(given(RhoStudyJob, rho_job), tmp_path) for _ in range(2))
    assert first == again


def test_a_method_that_mixes_nothing_has_no_rho(rho_job: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="that mixes gradients, found joint"):
        rho_study_job.run(
            given(RhoStudyJob, rho_job | {"method": "joint", "settings": {}}), tmp_path
        )


def test_the_best_members_model_and_settings_decide(artifact_of, toy) -> None:
    job = toy.job()
    member = {
        "digest": "m",
        "settings": {"beta": 5.0},
        "learning_rate": 0.02,
        **model(Path("models/best")),
    }
    sources = [{**source, "data": artifact_of(source["name"])} for source in job["source_sets"]]
    inputs = {
        "label": "rho",
        "model": artifact_of("top", {"members": [member]}),
        "sources": sources,
        "target": artifact_of("target"),
        "split": artifact_of("split", {"digests": DIGESTS}),
        "seed": 0,
        **{name: job[name] for name in ("network", "heads", "classes")},
        "training": {"batch_size": 8, "v_whole_up_to": 64},
    }

    def identity(**changes: Any) -> str:
        return rho_study.describe(given(rho_study.RhoStudyInputs, inputs | changes)).identity

    def best(**changes: Any) -> dict[str, Any]:
        return {"model": artifact_of("top", {"members": [member | changes]})}

    changes: list[dict[str, Any]] = [
        {},
        best(digest="n"),
        best(settings={"beta": 6.0}),
        best(learning_rate=0.05),
        {"target": artifact_of("new")},
        {"split": artifact_of("split", {"digests": DIGESTS | {"V": "other"}})},
        {"sources": [{**sources[0], "data": artifact_of("new")}, sources[1]]},
        {"seed": 1},
    ]
    assert len({identity(**change) for change in changes}) == len(changes)
    assert identity(label="b") == identity()
