"""The picture of the pipeline, seen by a `Submit` that only writes down what is asked of it."""

import math
from dataclasses import fields, replace
from pathlib import Path

from flows.experiment.experiment_file import load_experiment
from flows.experiment.fields import telling
from flows.experiment.raw_data import RawData
from flows.experiment.settings import Experiment
from flows.pipeline.graph import pipeline
from flows.pipeline.subjects import cell_subject
from gradmix.declarations.training import TrainingConfig
from tasks.codec import leaves
from tasks.stages.train import PseudoSource
from tests.flows.pipeline.drawn import DRAWS, FINALS, Box, compared, drawn, of


def test_every_stage_of_the_design_is_there_as_often_as_the_settings_say(small):
    submitted, _ = small
    settings = load_experiment("digits", "small")
    rows, finals = len(settings.baselines), len(settings.final)
    assert (rows >= 24, finals >= 10) == (True, True)
    # A draw: every row of 3 candidates, a search of 3, 4 cells; of the selections, 3 are those that
    # fine-tuning starts from.
    counts = {stage: len(of(submitted, stage)) for stage in {box.stage for box in submitted}}
    assert counts == {
        "prepare": 3,
        "split": 4,
        "train": 4 * (rows * 3 + 3 + 4 + finals * 3),
        "select": 4 * (rows + 3 + 2 + finals),
        "pseudo_label": 4,
        "enlarge": 4,
        "evaluate": 4,
    }


def searched(row):
    """Combinations of the values that a row of the file is searched over."""
    return math.prod(map(len, row.get("search", {}).values()))


def test_held_out_labels_are_scored_where_a_precision_is_asked_for_alone(demo):
    settings = load_experiment("digits", "demo")
    ensemble = settings.ensemble.model_copy(update={"precision": 0.97})
    submitted, stages = drawn(settings.model_copy(update={"ensemble": ensemble}))
    (held, *_) = of(submitted, "held_out")
    assert len(of(submitted, "held_out")) == len(stages.draws)
    # As the labels of U, by the same members.
    (labels, *_) = of(submitted, "pseudo_label")
    assert held.inputs["ensemble"] is labels.inputs["ensemble"]
    assert held.inputs["splits"] == (labels.inputs["split"],)
    assert all(draw.ensembles[3].held_out in draw.before_the_test for draw in stages.draws)
    assert of(demo[0], "held_out") == []
    # Without it nothing has another name.
    assert (
        telling(load_experiment("digits", "demo"))["ensemble"]
        .keys()
        .isdisjoint({"precision", "confidence"})
    )


def test_nothing_is_submitted_before_what_it_depends_on(small):
    submitted, _ = small
    assert all(used.number < box.number for box in submitted for used in box.direct)


def test_subjects_and_labels_are_unique(small):
    submitted, _ = small
    assert len({box.subject for box in submitted}) == len(submitted)
    assert len({box.label for box in submitted}) == len(submitted)


def test_a_cell_is_found_by_its_place_and_axes_whatever_its_label(small):
    submitted, stages = small
    for draw in stages.draws:
        for cell, training in draw.cells.items():
            wanted = cell_subject("GradMix", draw.k, draw.draw, vars(cell))
            assert [box for box in submitted if box.subject == wanted] == [training]
            assert dict(wanted.settings) == {"beta": cell.beta, "gamma": cell.gamma}


def test_no_training_starts_before_all_data_and_all_splits_are_known_to_be_good(small):
    submitted, _ = small
    checks = {box for box in submitted if box.stage in {"prepare", "split"}}
    assert len(checks) == 7
    for training in of(submitted, "train"):
        assert checks <= training.ancestors, training.label


def test_the_test_split_is_opened_after_every_training_and_selection_of_every_draw(small):
    submitted, _ = small
    others = {box for box in submitted if box.stage not in {"evaluate", "prepare"}}
    evaluations = of(submitted, "evaluate")
    assert len(evaluations) == 4
    for evaluation in evaluations:
        assert others <= evaluation.ancestors, evaluation.label


def test_the_sealed_test_split_is_an_input_of_the_evaluation_alone(small):
    submitted, _ = small
    test = next(box for box in submitted if box.label == "mnist test")
    assert [box.stage for box in submitted if test in leaves(box.inputs, Box)] == ["evaluate"] * 4


def test_only_the_target_has_a_test_split(small):
    submitted, stages = small
    assert [box.label for box in of(submitted, "prepare")] == [
        "svhn train",
        "mnist train",
        "mnist test",
    ]
    assert set(stages.data) == {("svhn", "train"), ("mnist", "train"), ("mnist", "test")}


def test_final_trainings_read_the_enlarged_v_the_labels_and_the_best_cell(small):
    _, stages = small
    for draw in stages.draws:
        top_3 = draw.ensembles[3]
        assert top_3.enlarged.inputs["pseudo"] is top_3.pseudo
        assert top_3.pseudo.inputs["ensemble"] is top_3.top
        for name, kind, method in FINALS:
            for final in compared(draw.rows[name]):
                assert final.inputs["method"] == method
                assert final.inputs["enlarged"] is top_3.enlarged
                pseudo = PseudoSource(labels=top_3.pseudo, kind=kind, if_none_agree="stop")
                assert final.inputs["pseudo"] == pseudo
                assert final.inputs["choice"] is top_3.top


def test_no_other_training_sees_labels_of_u_or_the_enlarged_v(small):
    submitted, stages = small
    rows = [row for draw in stages.draws for name, row in draw.rows.items() if "w/ " in name]
    finals = [training for row in rows for training in compared(row)]
    assert len(finals) == 4 * 10 * 3
    for training in set(of(submitted, "train")) - set(finals):
        assert (training.inputs["pseudo"], training.inputs["enlarged"]) == (None, None)
        assert not any(box.stage == "pseudo_label" for box in training.ancestors), training.label


def test_every_setting_of_the_training_reaches_its_loop(small):
    # A setting that the job's class lacks would stop every reproduction.
    submitted, _ = small
    training = of(submitted, "train")[0].inputs["training"]
    assert {field.name for field in fields(TrainingConfig)} <= {
        field.name for field in fields(training)
    }
    changed = replace(training, precision="bfloat16", average=0.9, warm_up=3, schedule="cosine")
    assert changed.loop == TrainingConfig(
        steps=training.steps,
        validate_every=training.validate_every,
        precision="bfloat16",
        average=0.9,
        warm_up=3,
        schedule="cosine",
    )


def test_rows_that_read_u_may_have_fewer_draws():
    options = DRAWS | {("target", "draws_with_u"): ("", 1), ("outputs", "studies"): ("", [])}
    _, stages = drawn(load_experiment("digits", "small", options))
    missing = {"MME", "MDDA", "DCTN", "SLA", "AdaMatch", "Joint + SoftMatch"}
    missing |= {name for name, *_ in FINALS}
    first, second = (stages.draws[i] for i in (0, 1))
    assert (first.draw, second.draw) == (0, 1)
    assert first.rows.keys() - second.rows.keys() == missing
    assert all(e.pseudo and e.final for e in first.ensembles.values())
    assert not any(e.pseudo or e.final for e in second.ensembles.values())
    assert set(second.evaluation.inputs["models"]) >= set(second.rows)


def test_a_scale_may_choose_its_rows(demo):
    _, stages = demo
    rows = ["Target only", "Source only", "Joint", "GradMix", "GradMix w/ MixMatch"]
    assert [list(draw.rows) for draw in stages.draws] == [rows] * 3


def test_rows_that_others_start_from_are_made_too():
    options = {("outputs", "rows"): ("", ["Fine-tune"]), ("outputs", "figures"): ("", [])}
    submitted, stages = drawn(load_experiment("digits", "small", options))
    assert set(stages.draws[0].rows) == {"Source only", "Fine-tune", "GradMix"}
    assert not of(submitted, "pseudo_label")


def test_the_grid_is_every_pair_of_beta_and_gamma(small):
    _, stages = small
    for draw in stages.draws:
        settings = [cell.inputs["settings"] for cell in draw.cells.values()]
        assert [(cell["beta"], cell["gamma"]) for cell in settings] == [
            (beta, gamma) for beta in (5.0, 10.0) for gamma in (0.0, 0.4)
        ]
        top = draw.ensembles[3].top
        assert top.inputs["candidates"] == tuple(draw.cells.values())
        assert top.inputs["r"] == 3
        assert draw.rows["GradMix"] is top


def test_fine_tuning_starts_from_every_source_only_model_of_its_draw(small, whole_demo):
    _, stages = small
    for draw in stages.draws:
        starts = [training.inputs["initial"] for training in draw.searches["Fine-tune"]]
        assert [start.inputs["candidates"] for start in starts] == [
            (training,) for training in draw.searches["Source only"]
        ]
        assert {t.inputs["learning_rate"] for t in draw.searches["Fine-tune"]} == {0.005}
        assert draw.searches["Fine-tune"][1].label.endswith(": Fine-tune start=2 lr=0.005")
    for draw in whole_demo[1].draws:
        # Of one candidate, the row's own selection.
        (fine_tune,) = draw.searches["Fine-tune"]
        assert fine_tune.inputs["initial"] is draw.rows["Source only"]
        others = [name for name in draw.searches if name != "Fine-tune"]
        assert all(t.inputs["initial"] is None for n in others for t in draw.searches[n])


def test_all_methods_of_a_draw_share_its_split_and_seed_and_draws_differ(small):
    submitted, stages = small
    seeds = []
    for draw in stages.draws:
        mine = [
            box
            for box in of(submitted, "train")
            if (box.subject.k, box.subject.draw) == (draw.k, draw.draw)
        ]
        assert {box.inputs["split"] for box in mine} == {draw.split}
        assert {box.inputs["seed"] for box in mine} == {draw.seed}
        seeds.append((draw.k, draw.draw, draw.seed))
    # The same V is nested over k, so a draw keeps its seed over k.
    assert seeds == [(2, 0, 0), (2, 1, 1), (3, 0, 0), (3, 1, 1)]


def test_the_seed_of_the_experiment_moves_every_draw():
    _, stages = drawn(load_experiment("digits", "demo", {("seed",): ("--seed", 7)}))
    assert [draw.seed for draw in stages.draws] == [70_000, 70_001, 70_002]
    assert {draw.split.inputs["seed"] for draw in stages.draws} == {7}


def test_rows_stand_in_the_order_of_the_table(small):
    _, stages = small
    experiment = load_experiment("digits", "small")
    assert all(list(draw.rows) == experiment.rows for draw in stages.draws)


def test_names_change_neither_the_stages_nor_their_order():
    experiment = load_experiment("digits", "demo", {("outputs", "rows"): ("", None)})
    values = experiment.model_dump()
    values["datasets"] = {"zz": values["datasets"]["svhn"], "aa": values["datasets"]["mnist"]}
    for source, name in zip(values["sources"], ("Z", "A"), strict=True):
        source["name"] = name
        source["dataset"] = {"svhn": "zz", "mnist": "aa"}[source["dataset"]]
    values["target"]["dataset"] = "aa"
    for i, row in enumerate(values["baselines"]):
        row["name"] = f"{99 - i}"
    values["first_stage"]["name"] = "0"
    renamed, _ = drawn(Experiment.model_validate(values))
    plain, _ = drawn(experiment)
    shape = [
        [(box.stage, [used.number for used in box.direct]) for box in run]
        for run in (plain, renamed)
    ]
    assert shape[0] == shape[1]
    methods = [[box.inputs["method"] for box in of(run, "train")] for run in (plain, renamed)]
    assert methods[0] == methods[1]


def test_sources_get_the_head_of_their_label_space(small):
    submitted, _ = small
    training = of(submitted, "train")[0]
    heads = {source.name: source.head for source in training.inputs["sources"]}
    assert heads["S1"] == "target"
    assert heads["S2"] != "target"
    assert training.inputs["heads"]["target"] == ("5", "6", "7", "8", "9")
    assert training.inputs["heads"][heads["S2"]] == ("0", "1", "2", "3", "4")


def test_embedded_and_real_data_take_their_own_readers():
    experiment = load_experiment("digits", "demo")
    for root, readers in ((None, {"street", "handwritten"}), ("/data", {"svhn", "mnist"})):
        asked = []
        digests = {("svhn", "train"): {}, ("mnist", "train"): {}, ("mnist", "test"): {}}

        def submit(stage, inputs, after=(), asked=asked):
            asked.append((stage.name, inputs))
            return len(asked)

        pipeline(
            experiment, RawData(root, digests, dict.fromkeys(experiment.datasets, root)), submit
        )
        prepared = [inputs for name, inputs in asked if name == "prepare"]
        assert {inputs.reader for inputs in prepared} == readers
        assert {inputs.root for inputs in prepared} == {root and Path(root)}
