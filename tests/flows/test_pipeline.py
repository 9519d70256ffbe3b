"""The picture of the pipeline, seen by a `Submit` that only writes down what is asked of it."""

import pytest

from flows.experiment_file import load_experiment
from flows.pipeline import RawData, pipeline
from flows.settings import Experiment

DRAWS = {("target", "k"): ("--k", [2, 3]), ("target", "draws"): ("--draws", 2)}


class Box:
    """One stage that was asked for."""

    def __init__(self, number, stage, after, inputs):
        self.number, self.stage, self.inputs = number, stage.name, inputs
        self.label = inputs["label"]
        self.direct = [*boxes(inputs), *boxes(after)]

    @property
    def ancestors(self):
        found, stack = set(), list(self.direct)
        while stack:
            box = stack.pop()
            if box not in found:
                found.add(box)
                stack.extend(box.direct)
        return found


def boxes(value):
    if isinstance(value, Box):
        return [value]
    items = value.values() if isinstance(value, dict) else value
    if isinstance(value, dict | list | tuple):
        return [box for item in items for box in boxes(item)]
    return []


def drawn(experiment):
    """Every stage of an experiment in the order of submission, and what `pipeline` returned."""
    submitted = []

    def submit(stage, /, after=(), **inputs):
        submitted.append(Box(len(submitted), stage, list(after), inputs))
        return submitted[-1]

    target = experiment.target.dataset
    raw = RawData(
        None,
        {
            (name, part): {}
            for name in experiment.datasets
            for part in (["train", "test"] if name == target else ["train"])
        },
    )
    return submitted, pipeline(experiment, raw, submit)


@pytest.fixture(scope="module")
def small():
    """Two k, two draws, two learning rates."""
    return drawn(load_experiment("digits", "small", DRAWS))


@pytest.fixture(scope="module")
def demo():
    """One learning rate."""
    return drawn(load_experiment("digits", "demo"))


def of(submitted, stage):
    return [box for box in submitted if box.stage == stage]


def test_every_stage_of_the_design_is_there_as_often_as_the_settings_say(small):
    submitted, _ = small
    # A draw: 4 baselines of 2 rates, 1 of 1, 2 searches, 6 cells, 2 finals.
    counts = {stage: len(of(submitted, stage)) for stage in {box.stage for box in submitted}}
    assert counts == {
        "prepare": 3,
        "split": 4,
        "train": 4 * (4 * 2 + 1 + 2 + 6 + 2),
        "select": 4 * (5 + 2),
        "pseudo_label": 4,
        "enlarge": 4,
        "evaluate": 4,
    }


def test_nothing_is_submitted_before_what_it_depends_on(small):
    submitted, _ = small
    assert all(used.number < box.number for box in submitted for used in box.direct)


def test_labels_are_unique(small):
    submitted, _ = small
    assert len({box.label for box in submitted}) == len(submitted)


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
    assert [box.stage for box in submitted if test in boxes(box.inputs)] == ["evaluate"] * 4


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
        assert draw.enlarged.inputs["pseudo"] is draw.pseudo
        assert draw.pseudo.inputs["ensemble"] is draw.top
        for name, kind in (("GradMix w/ soft label", "soft"), ("GradMix w/ hard label", "hard")):
            final = draw.rows[name]
            assert final.inputs["enlarged"] is draw.enlarged
            assert final.inputs["pseudo"] == {"labels": draw.pseudo, "kind": kind}
            assert final.inputs["choice"] is draw.top
            assert final.inputs["learning_rate"] is draw.top


def test_no_other_training_sees_labels_of_u_or_the_enlarged_v(small):
    submitted, stages = small
    finals = [row for draw in stages.draws for name, row in draw.rows.items() if "w/ " in name]
    assert len(finals) == 8
    for training in set(of(submitted, "train")) - set(finals):
        assert not {"pseudo", "enlarged"} & training.inputs.keys()
        assert not any(box.stage == "pseudo_label" for box in training.ancestors), training.label


def test_the_learning_rate_is_searched_at_the_middle_cell_then_used_in_all(small):
    _, stages = small
    for draw in stages.draws:
        search = draw.searches["GradMix"]
        assert [training.inputs["learning_rate"] for training in search] == [0.05, 0.02]
        assert {training.inputs["settings"]["beta"] for training in search} == {10.0}
        assert {training.inputs["settings"]["gamma"] for training in search} == {0.0}
        (rate,) = {cell.inputs["learning_rate"] for cell in draw.cells}
        assert rate.inputs["candidates"] == search
        assert rate.inputs["r"] == 1


def test_one_learning_rate_is_not_searched(demo):
    submitted, stages = demo
    assert [draw.searches["GradMix"] for draw in stages.draws] == [[], []]
    assert {cell.inputs["learning_rate"] for draw in stages.draws for cell in draw.cells} == {0.05}
    assert not [box for box in submitted if "GradMix learning rate" in box.label]


def test_the_grid_is_every_pair_of_beta_and_gamma(small):
    _, stages = small
    for draw in stages.draws:
        settings = [cell.inputs["settings"] for cell in draw.cells]
        assert [(cell["beta"], cell["gamma"]) for cell in settings] == [
            (beta, gamma) for beta in (5.0, 10.0) for gamma in (0.0, 0.4, 0.8)
        ]
        assert draw.top.inputs["candidates"] == draw.cells
        assert draw.top.inputs["r"] == 3


def test_fine_tuning_starts_from_the_selected_source_only_model_of_its_draw(small):
    _, stages = small
    for draw in stages.draws:
        (fine_tune,) = draw.searches["Fine-tune"]
        assert fine_tune.inputs["initial"] is draw.rows["Source only"]
        assert fine_tune.inputs["learning_rate"] == 0.005
        assert draw.rows["Source only"].stage == "select"
        others = [name for name in draw.searches if name != "Fine-tune"]
        assert all(t.inputs.get("initial") is None for n in others for t in draw.searches[n])


def test_all_methods_of_a_draw_share_its_split_and_seed_and_draws_differ(small):
    submitted, stages = small
    seeds = []
    for draw in stages.draws:
        mine = [box for box in of(submitted, "train") if box.label.startswith(f"{draw.name}:")]
        assert {box.inputs["split"] for box in mine} == {draw.split}
        assert {box.inputs["seed"] for box in mine} == {draw.seed}
        seeds.append((draw.k, draw.draw, draw.seed))
    # The same V is nested over k, so a draw keeps its seed over k.
    assert seeds == [(2, 0, 0), (2, 1, 1), (3, 0, 0), (3, 1, 1)]


def test_the_seed_of_the_experiment_moves_every_draw():
    _, stages = drawn(load_experiment("digits", "demo", {("seed",): ("--seed", 7)}))
    assert [draw.seed for draw in stages.draws] == [70_000, 70_001]
    assert [draw.split.inputs["seed"] for draw in stages.draws] == [7, 7]


def test_rows_stand_in_the_order_of_the_table(small):
    _, stages = small
    experiment = load_experiment("digits", "small")
    assert all(list(draw.rows) == experiment.rows for draw in stages.draws)


def test_names_change_neither_the_stages_nor_their_order():
    experiment = load_experiment("digits", "demo")
    values = experiment.model_dump()
    values["datasets"] = {"zz": values["datasets"]["svhn"], "aa": values["datasets"]["mnist"]}
    for source, name in zip(values["sources"], ("Z", "A"), strict=True):
        source["name"] = name
        source["dataset"] = {"svhn": "zz", "mnist": "aa"}[source["dataset"]]
    values["target"]["dataset"] = "aa"
    for i, row in enumerate(values["baselines"]):
        row["name"] = f"{9 - i}"
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
    heads = {source["name"]: source["head"] for source in training.inputs["sources"]}
    assert heads["S1"] == "target"
    assert heads["S2"] != "target"
    assert training.inputs["heads"]["target"] == ["5", "6", "7", "8", "9"]
    assert training.inputs["heads"][heads["S2"]] == ["0", "1", "2", "3", "4"]


def test_embedded_and_real_data_take_their_own_readers():
    experiment = load_experiment("digits", "demo")
    for root, readers in ((None, {"street", "handwritten"}), ("/data", {"svhn", "mnist"})):
        asked = []
        digests = {("svhn", "train"): {}, ("mnist", "train"): {}, ("mnist", "test"): {}}

        def submit(stage, /, after=(), asked=asked, **inputs):
            asked.append((stage.name, inputs))
            return len(asked)

        pipeline(experiment, RawData(root, digests), submit)
        prepared = [inputs for name, inputs in asked if name == "prepare"]
        assert {inputs["reader"] for inputs in prepared} == readers
        assert {inputs["root"] for inputs in prepared} == {root}
