"""Which model is the champion, and what is told of it."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from flows.records.champion import (
    candidates,
    champion_of,
    drawn,
    registered_name,
    track_results,
)
from tasks.tracking.tracker import Tracker


@pytest.fixture
def finished(tiny_order, imitate, tmp_path):
    """An order and its made-up stages: each training is better than the last."""

    def make(*replacements, **words):
        order = tiny_order(*replacements, **words)
        return order, imitate(order, tmp_path / "home")

    return make


class Told:
    """A tracker that keeps what it is told."""

    def __init__(self):
        self.calls = {}

    def __getattr__(self, name):
        assert hasattr(Tracker, name)
        return lambda *words: self.calls.update({name: words})


def candidate(accuracy, loss, name="row"):
    summary = {"accuracy": accuracy, "loss": loss}
    return SimpleNamespace(row=name, training=SimpleNamespace(summary=summary))


def test_the_highest_accuracy_on_hyper_validation_wins_then_the_lower_loss_then_the_order():
    low, high = candidate(0.5, 0.1), candidate(0.6, 0.9)
    assert champion_of([low, high]) is high
    lossy, first, last = candidate(0.6, 0.9), candidate(0.6, 0.2), candidate(0.6, 0.2)
    assert champion_of([lossy, first, last]) is first
    assert champion_of([last, lossy, first]) is last


def test_all_rows_compete_over_all_k_and_draws(finished):
    _, stages = finished(("k = [2]", "k = [2, 3]"), ("draws = 1", "draws = 2"))
    among = candidates(stages.draws)
    assert sorted({one.row for one in among}) == ["GradMix", "GradMix hard", "Source only"]
    assert {(one.k, one.draw) for one in among} == {(2, 0), (2, 1), (3, 0), (3, 1)}
    # Made-up accuracies rise from training to training: the last draw has the best.
    best = champion_of(among)
    assert (best.row, best.k, best.draw) == ("GradMix hard", 3, 1)
    assert best.tags == {
        "gradmix.row": "GradMix hard",
        "gradmix.k": "3",
        "gradmix.draw": "1",
        "gradmix.hyper_validation_accuracy": str(best.training.summary["accuracy"]),
        "gradmix.identity": best.training.identity,
    }
    assert "GradMix hard, k=3 draw=1" in best.description
    assert "of all rows" in best.description


def test_a_baseline_that_does_best_is_the_champion_and_is_drawn_with_the_last_rows(finished):
    order, stages = finished()
    among = candidates(stages.draws)
    baseline = next(one for one in among if one.row == "Source only")
    found = baseline.training
    better = replace(found, summary={**found.summary, "accuracy": 0.99})
    among = [replace(one, training=better) if one is baseline else one for one in among]
    best = champion_of(among)
    assert best.row == "Source only"
    assert [one.row for one in drawn(order, among, best)] == ["GradMix hard", "Source only"]


def test_without_rows_on_u_the_first_stages_best_is_drawn(finished):
    order, stages = finished(tables=(2,), figures=(), studies=())
    among = candidates(stages.draws)
    best = champion_of(among)
    assert [one.row for one in drawn(order, among, best)] == ["GradMix"]
    assert best.training.summary["accuracy"] == max(
        future.result().summary["accuracy"] for future in stages.draws[0].cells.values()
    )


def test_the_figures_of_the_test_split_are_not_looked_at(finished):
    _, stages = finished()
    stages.draws[0].evaluation = None
    assert champion_of(candidates(stages.draws)).row == "GradMix hard"


def test_a_reproduction_names_its_models_its_test_split_and_its_champion(finished):
    order, stages = finished()
    told = Told()
    track_results(order, stages, told, "run", Path("model"))
    run, models = told.calls["log_model_inputs"]
    # Source only, two cells, the final row; the first stage's best is one of the cells.
    assert (run, sorted(models)) == ("run", ["model-1", "model-2", "model-3", "model-4"])
    run, name, content, _, context = told.calls["log_dataset"]
    assert (run, name, content, context) == (
        *("run", "test", "content of handwritten test", "evaluation"),
    )
    assert told.calls["log_model_folder"] == ("model-4", Path("model"))
    assert registered_name(order) == "gradmix-tiny-tiny"
    assert told.calls["register_champion"][:2] == ("gradmix-tiny-tiny", "model-4")
    assert told.calls["log_lineage"] == ("run", ["model-4"], "model-4", "gradmix-tiny-tiny")
