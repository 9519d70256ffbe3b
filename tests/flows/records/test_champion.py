"""Which model is the champion, and what is told of it."""

from types import SimpleNamespace

import pytest

from flows.records.champion import candidates, champion_of, registered_name, track_results
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


def test_only_rows_that_were_trained_on_the_pseudo_labels_compete_over_all_k_and_draws(finished):
    order, stages = finished(("k = [2]", "k = [2, 3]"), ("draws = 1", "draws = 2"))
    among = candidates(order, stages.draws)
    assert [(one.row, one.k, one.draw) for one in among] == [
        ("GradMix hard", k, draw) for k in (2, 3) for draw in (0, 1)
    ]
    # Made-up accuracies rise from training to training: the last draw has the best.
    best = champion_of(among)
    assert (best.k, best.draw) == (3, 1)
    assert best.tags == {
        "gradmix.row": "GradMix hard",
        "gradmix.k": "3",
        "gradmix.draw": "1",
        "gradmix.hyper_validation_accuracy": str(best.training.summary["accuracy"]),
        "gradmix.identity": best.training.identity,
    }
    assert "GradMix hard, k=3 draw=1" in best.description


def test_without_such_rows_the_first_stages_best_is_the_champion(finished):
    order, stages = finished(tables=(2,), figures=(), studies=())
    among = candidates(order, stages.draws)
    assert [one.row for one in among] == ["GradMix"]
    assert champion_of(among).training.summary["accuracy"] == max(
        future.result().summary["accuracy"] for future in stages.draws[0].cells.values()
    )


def test_the_figures_of_the_test_split_are_not_looked_at(finished):
    order, stages = finished()
    stages.draws[0].evaluation = None
    assert champion_of(candidates(order, stages.draws)).row == "GradMix hard"


def test_a_reproduction_names_its_models_its_test_split_and_its_champion(finished):
    order, stages = finished()
    told = Told()
    track_results(order, stages, told, "run")
    run, models = told.calls["log_model_inputs"]
    # Source only, two cells, the final row; the first stage's best is one of the cells.
    assert (run, sorted(models)) == ("run", ["model-1", "model-2", "model-3", "model-4"])
    run, name, content, _, context = told.calls["log_dataset"]
    assert (run, name, content, context) == (
        *("run", "test", "content of handwritten test", "evaluation"),
    )
    assert registered_name(order) == "gradmix-tiny-tiny"
    assert told.calls["register_champion"][:2] == ("gradmix-tiny-tiny", "model-4")
    assert told.calls["log_lineage"] == ("run", ["model-4"], "model-4", "gradmix-tiny-tiny")
