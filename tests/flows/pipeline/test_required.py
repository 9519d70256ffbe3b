"""What is trained for the tables, figures and studies that are requested."""

import pytest
from pydantic import ValidationError

from flows.experiment.experiment_file import load_experiment
from flows.experiment.settings import Experiment
from tests.flows.pipeline.drawn import RATES, SEARCHED, compared, drawn, of


def asked(tables=(), figures=(), studies=()):
    """The small experiment with these outputs, three learning rates, k = 2, one draw."""
    options = SEARCHED | {
        ("target", "k"): ("--k", [2]),
        ("target", "draws"): ("--draws", 1),
        ("outputs", "tables"): ("--tables", list(tables)),
        ("outputs", "figures"): ("--figures", list(figures)),
        ("outputs", "studies"): ("--studies", list(studies)),
    }
    return drawn(load_experiment("digits", "small", options))


def trained(submitted):
    return [box.label.removeprefix("k=2 draw=0: ") for box in of(submitted, "train")]


def test_table_2_needs_the_grid_and_no_other_training():
    submitted, stages = asked(tables=[2])
    assert len(trained(submitted)) == 3 + 4
    assert not of(submitted, "pseudo_label")
    (evaluation,) = of(submitted, "evaluate")
    cells = stages.draws[0].cells
    assert len(cells) == 4
    named = {f"GradMix beta={c.beta:g} gamma={c.gamma:g}": cell for c, cell in cells.items()}
    assert evaluation.inputs["models"] == {"GradMix": stages.draws[0].rows["GradMix"], **named}
    assert evaluation.inputs["pseudo"] == {}


def test_table_1_alone_opens_the_test_split_for_its_rows_only():
    submitted, stages = asked(tables=[1])
    (evaluation,) = of(submitted, "evaluate")
    assert evaluation.inputs["models"] == stages.draws[0].rows
    assert list(evaluation.inputs["pseudo"]) == ["3"]


def test_figure_3_needs_source_only_and_the_grid():
    submitted, stages = asked(figures=[3])
    assert sorted(stages.draws[0].rows) == ["GradMix", "Source only"]
    assert len(trained(submitted)) == 3 + 3 + 4
    assert not of(submitted, "pseudo_label")


def test_figure_4_trains_once_for_every_r_on_the_same_first_stage():
    submitted, stages = asked(figures=[4])
    draw = stages.draws[0]
    assert list(draw.ensembles) == [1, 2, 3, 4]
    assert [e.top.inputs["r"] for e in draw.ensembles.values()] == [1, 2, 3, 4]
    assert all(
        e.top.inputs["candidates"] == (*draw.cells.values(),) for e in draw.ensembles.values()
    )
    assert trained(submitted)[3 + 4 :] == [
        f"GradMix w/ hard label, R={r} lr={rate:g}" for r in range(1, 5) for rate in RATES
    ]
    for ensemble in draw.ensembles.values():
        assert ensemble.pseudo.inputs["ensemble"] is ensemble.top
        for final in compared(ensemble.final):
            assert final.inputs["pseudo"].labels is ensemble.pseudo
            assert final.inputs["enlarged"] is ensemble.enlarged
            # The settings are those of the best cell, whatever R.
            assert final.inputs["choice"] is draw.ensembles[3].top
    (evaluation,) = of(submitted, "evaluate")
    assert set(evaluation.inputs["models"]) == {"GradMix", *(f"R={r}" for r in range(1, 5))}
    assert list(evaluation.inputs["pseudo"]) == ["1", "2", "3", "4"]


def test_table_1_and_figure_4_share_the_model_of_r_3():
    submitted, stages = asked(tables=[1], figures=[4])
    draw = stages.draws[0]
    assert draw.ensembles[3].final is draw.rows["GradMix w/ hard label"]
    assert sum("R=" in label for label in trained(submitted)) == 3 * 3


def test_studies_come_after_the_evaluation_and_train_nothing():
    submitted, stages = asked(tables=[2], studies=["rho", "hyper_validation"])
    draw = stages.draws[0]
    assert len(trained(submitted)) == 3 + 4
    sizes, rho = draw.studies["hyper_validation"], draw.studies["rho"]
    assert [*sizes.inputs["cells"].values()] == [*draw.cells.values()]
    assert sizes.inputs["evaluation"] is draw.evaluation
    assert rho.inputs["model"] is draw.rows["GradMix"]


def test_nothing_asked_trains_the_grid_and_scores_its_best_cell():
    submitted, _ = asked()
    (evaluation,) = of(submitted, "evaluate")
    assert list(evaluation.inputs["models"]) == ["GradMix"]


def test_every_source_is_left_out_in_turn_and_searched_like_the_whole():
    submitted, stages = asked(studies=["sources"])
    draw = stages.draws[0]
    assert draw.middle.inputs["candidates"] == tuple(draw.searches["GradMix"])
    assert list(draw.without) == ["S1", "S2"]
    for name, other in (("S1", "S2"), ("S2", "S1")):
        found = compared(draw.without[name])
        assert tuple(training.inputs["learning_rate"] for training in found) == RATES
        for training, whole in zip(found, draw.searches["GradMix"], strict=True):
            assert [source.name for source in training.inputs["sources"]] == [other]
            same = ("settings", "method", "seed", "split", "heads", "learning_rate")
            assert all(training.inputs[key] == whole.inputs[key] for key in same)
    assert draw.evaluation.inputs["models"] == {
        "GradMix": draw.rows["GradMix"],
        "all sources": draw.middle,
        "without S1": draw.without["S1"],
        "without S2": draw.without["S2"],
    }
    others = {box for box in submitted if box.stage not in {"evaluate", "prepare"}}
    assert others <= draw.evaluation.ancestors


def test_the_study_of_labels_adds_the_sizes_of_v_that_the_table_lacks():
    submitted, stages = asked(studies=["labels"])
    assert [(draw.k, draw.draw) for draw in stages.draws] == [(2, 0)]
    assert [draw.k for draw in stages.more_labels] == [1, 5, 10, 20]
    assert len(of(submitted, "train")) == (3 + 4) + 4 * 3
    for draw in stages.more_labels:
        assert draw.seed == stages.draws[0].seed
        assert draw.split.inputs["k"] == draw.k
        found = compared(draw.middle)
        assert tuple(training.inputs["learning_rate"] for training in found) == RATES
        assert {training.inputs["settings"]["beta"] for training in found} == {10.0}
        assert draw.evaluation.inputs["models"] == {"all sources": draw.middle}
    assert stages.draws[0].evaluation.inputs["models"]["all sources"] is stages.draws[0].middle


def test_one_source_cannot_be_left_out():
    values = load_experiment("digits", "small").model_dump()
    values["outputs"]["studies"] = ["sources"]
    values["sources"] = values["sources"][:1]
    with pytest.raises(ValidationError, match="at least two sources, to leave one out"):
        Experiment.model_validate(values)
