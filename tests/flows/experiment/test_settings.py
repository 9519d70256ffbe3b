"""The settings themselves: the packaged protocol, and every value that is refused, by key."""

import re
from copy import deepcopy
from pathlib import Path

import pytest
from pydantic import ValidationError

from flows.experiment.experiment_file import load_experiment
from flows.experiment.issues import dotted
from flows.experiment.settings import Experiment
from flows.experiment.validation import findings_in

PACKAGED = Path(__file__).parents[3] / "flows" / "experiments" / "digits.toml"


@pytest.fixture(scope="module")
def digits():
    return load_experiment("digits", "paper")


# By place in the tests below, so that a new row of the file changes none of them.
ROWS = (
    *("Target only", "Source only", "Joint", "Fine-tune", "GradMix SGD", "GradMix w/o AdaLR"),
    *("MME", "MDDA", "UPGrad"),
)


@pytest.fixture
def values(digits):
    """The paper's experiment with some of its rows, to be changed at will."""
    values = deepcopy(digits.model_dump())
    values["baselines"] = tuple(row for row in values["baselines"] if row["name"] in ROWS)
    return values


def put(values, path, value):
    *around, last = path.split("/")
    for part in around:
        values = values[int(part) if part.isdecimal() and not isinstance(values, dict) else part]
        assert isinstance(values, (dict, tuple))
    values[last] = value


def wrong(values):
    """Key and sentence of the first thing that is wrong."""
    with pytest.raises(ValidationError) as caught:
        Experiment.model_validate(values)
    first = findings_in(caught.value.errors())[0]
    return f"{dotted(first.key)}: {first.text}"


def test_the_paper_scale_is_the_protocol_of_the_paper(digits):
    assert digits.target.k == (2, 3, 4, 5)
    assert digits.target.draws == 10
    assert digits.target.hyper_validation == 1000
    assert digits.first_stage.beta == (5, 6, 7, 8, 9, 10)
    assert digits.first_stage.gamma == (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
    assert len(digits.first_stage.cells) == 54
    assert digits.ensemble.r == 3
    assert digits.ensemble.threshold == 0.8
    assert digits.ensemble.enlarged_v == 100
    assert 0.05 in digits.training.learning_rates
    assert digits.training.validate_every == 100
    rates = {row.method: digits.rates_of(row) for row in digits.baselines}
    assert rates.pop("fine_tune") == (0.005,)
    # They have a search of their own.
    assert (rates.pop("mdda"), rates.pop("dctn")) == ((0.02,), (0.02,))
    assert set(rates.values()) == {digits.training.learning_rates}
    assert [source.classes for source in digits.sources] == [tuple("56789"), tuple("01234")]
    assert digits.target.classes == tuple("56789")


def test_the_heads_follow_from_the_label_spaces(digits):
    assert digits.problem.relations == {"S1": "equal", "S2": "disjoint"}


def test_the_rows_are_in_the_order_of_the_file(digits):
    named = re.findall(r'^name = "([^"]+)"', PACKAGED.read_text(), re.MULTILINE)
    _, _, _, *rows = named  # the experiment and its two sources
    assert len(rows) > 10
    assert digits.rows == rows
    assert digits.paper["GradMix"]["3"] == (91.45, 0.52)
    assert "Joint" not in digits.paper


def test_the_cells_run_over_gamma_first_and_carry_the_settings(values):
    values["first_stage"] |= {"beta": (1, 2), "gamma": (0, 3), "settings": {"solver": "sgd"}}
    values["ensemble"]["r_sweep"] = (1, 2)
    cells = Experiment.model_validate(values).first_stage.cells
    assert [(cell["beta"], cell["gamma"]) for cell in cells] == [(1, 0), (1, 3), (2, 0), (2, 3)]
    assert {cell["solver"] for cell in cells} == {"sgd"}


def test_the_middle_cell_is_in_the_middle_of_both_axes(digits):
    middle = digits.first_stage.middle
    assert (middle["beta"], middle["gamma"]) == (8.0, 0.4)


def test_settings_of_the_first_stage_need_not_fit_the_finals(values):
    values["first_stage"] |= {"method": "gradmix_sgd", "settings": {"weight_steps": 3}}
    assert Experiment.model_validate(values).first_stage.settings == {"weight_steps": 3}


def test_settings_cannot_be_changed(digits):
    for part, field in ((digits, "seed"), (digits.target, "k"), (digits.sources[0], "name")):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(part, field, 1)


def test_settings_survive_json(digits):
    assert Experiment.model_validate_json(digits.model_dump_json()) == digits


def test_a_dataset_has_a_reader_for_real_files_and_one_without(digits):
    assert digits.datasets["mnist"].reader_on(real=True) == "mnist"
    assert digits.datasets["mnist"].reader_on(real=False) == "handwritten"


@pytest.mark.parametrize("row", ["baselines", "final"])
def test_a_table_of_rows_may_be_empty(values, row):
    values[row], values["outputs"]["figures"] = (), (3,)
    assert "GradMix" in Experiment.model_validate(values).rows


WRONG = [
    # Outputs, and what they need.
    (
        "outputs/tables",
        (1, 3),
        "outputs.tables[1]: expected table 1, that of a target of images, found 3",
    ),
    ("outputs/figures", (1,), "outputs.figures[0]: expected 3 or 4, found 1"),
    ("outputs/studies", ("rh",), 'outputs.studies[0]: expected "rho", "hyper_validation", '),
    ("outputs/tables", (1, 1), "outputs.tables[1]: expected no value twice"),
    ("ensemble/r_sweep", (), "ensemble.r_sweep: expected the R of figure 4, found none"),
    ("ensemble/r_sweep", (1, 55), "ensemble.r_sweep[1]: expected at most 54, the cells of the"),
    ("ensemble/if_none_agree", "go", 'ensemble.if_none_agree: expected "stop" or "soft"'),
    ("final", (), "final: expected a row with hard labels, for figure 4, found none"),
    ("final/2/method", "mme", "final[2].method: expected one of joint, gra…found"),
    ("final/2/settings", {"epsilonn": 1}, "final[2].settings.epsilonn: …did you mean epsilon?"),
    (
        "final/2/settings",
        {"epsilon": -1.0},
        "final[2].settings.epsilon: expected positive, found -1",
    ),
    ("final/1/settings", {"beta": 5.0}, "final[1].settings.beta: expected no such key here"),
    (
        "first_stage/method",
        "gradmix_vat",
        "first_stage.method: expected one of gradmix, gradmix_sgd",
    ),
    # Methods.
    ("baselines/2/method", "jiont", "baselines[2].method: expected one of ta…did you mean joint?"),
    ("first_stage/method", "joint", "first_stage.method: expected one of gradmix, gr…found"),
    ("baselines/4/settings", {"beta": -1}, "baselines[4].settings.beta: expected a value that is"),
    ("baselines/4/settings", {"beta": float("nan")}, "baselines[4].settings.beta: expected a fin"),
    ("baselines/4/settings", {"adaptive": 1}, "baselines[4].settings.adaptive: expected true or"),
    ("baselines/4/settings", {"grouping": "x"}, 'settings.grouping: expected "layer", "tensor" or'),
    (
        "baselines/4/settings",
        {"solvr": "sgd"},
        "baselines[4].settings.solvr: …did you mean solver?",
    ),
    ("baselines/1/settings", {"combine": "x"}, 'baselines[1].settings.combine: expected "sum" or'),
    (
        "baselines/0/settings",
        {"beta": 1},
        "baselines[0].settings.beta: expected one of v_updates_st",
    ),
    ("first_stage/settings", {"gamma": 1}, "first_stage.settings.gamma: expected no such key here"),
    ("baselines/1/method", "joint", "baselines[3].method: expected a baseline with method source_"),
    # Searches.
    ("baselines/6/search", {"entropy": (1.0,)}, "baselines[6].search.entropy: …did you mean entro"),
    (
        "baselines/7/search",
        {"entropy_weight": (0.1, -1.0)},
        "baselines[7].search.entropy_weight[1]: expected a value that is not negative, found -1",
    ),
    (
        "baselines/7/search",
        {"entropy_weight": ()},
        "baselines[7].search.entropy_weight: expected an",
    ),
    (
        "baselines/7/search",
        {"entropy_weight": (1.0, 1.0)},
        "search.entropy_weight[1]: expected no v",
    ),
    (
        "baselines/5/search",
        {"adaptive": (1.0,)},
        "baselines[5].search.adaptive: expected a setting without a value of its own",
    ),
    ("final/2/search", {"beta": (5.0,)}, "final[2].search.beta: expected no such key here"),
    (
        "final/2/search",
        {"epsilon": (0.0,)},
        "final[2].search.epsilon[0]: expected positive, found 0",
    ),
    ("outputs/rows", ("Joint", "UPGrat"), "outputs.rows[1]: …did you mean UPGrad?"),
    # Grids and lists.
    ("first_stage/beta", (5, -1), "first_stage.beta[1]: expected a value of at least 0, found -1;"),
    ("first_stage/beta", (), "first_stage.beta: expected an array of length at least 1, found len"),
    ("first_stage/beta", (5, 5.0), "first_stage.beta[1]: expected no value twice, found 5.0 again"),
    ("first_stage/gamma", (0.0, 0.1, 0.0), "first_stage.gamma[2]: expected no value twice, found "),
    ("first_stage/gamma", (float("inf"),), "first_stage.gamma[0]: expected a finite number, found"),
    ("first_stage/gamma", (float("nan"),), "first_stage.gamma[0]: expected a finite number, found"),
    ("target/k", (2, 3, 2), "target.k[2]: expected no value twice, found 2 again; remove one."),
    ("target/k", (0,), "target.k[0]: expected a value of at least 1, found 0"),
    ("training/learning_rates", (0.1, 0.1), "training.learning_rates[1]: expected no value twice"),
    (
        "training/learning_rates",
        (0.0,),
        "training.learning_rates[0]: expected a value greater than",
    ),
    ("baselines/3/learning_rates", (1.0, 1), "baselines[3].learning_rates[1]: expected no value t"),
    (
        "network/settings/widths",
        (8, 8, 16),
        "network.settings.widths[3]: expected a value, found none",
    ),
    ("network/settings/widths", (8,) * 5, "settings.widths: expected an array of length at most 4"),
    # Ranges.
    ("seed", -1, "seed: expected a value of at least 0, found -1"),
    ("seed", 2**32, "seed: expected a value of at most 4294967295, found 4294967296"),
    ("training/momentum", 1.0, "training.momentum: expected a value less than 1, found 1.0"),
    ("training/momentum", float("nan"), "training.momentum: expected a finite number, found nan"),
    ("training/average", 1.0, "training.average: expected a value less than 1, found 1.0"),
    ("training/dropout", -0.1, "training.dropout: expected a value of at least 0, found -0.1"),
    (
        "training/warm_up",
        5000,
        "training.warm_up: expected fewer than the training's 5,000 steps, found 5000; lower it.",
    ),
    (
        "training/schedule",
        "step",
        'training.schedule: expected "constant", "cosine" or "linear", found "step"',
    ),
    ("ensemble/threshold", 1.0, "ensemble.threshold: expected a value less than 1, found 1.0"),
    ("ensemble/r", 55, "ensemble.r: expected at most 54, the cells of the grid at scale paper, fo"),
    ("ensemble/r", 0, "ensemble.r: expected a value of at least 1, found 0"),
    # Types.
    (
        "network/settings/hidden",
        "32",
        'hidden: expected an integer, found "32"; remove the quotes.',
    ),
    ("network/settings/hidden", "x", 'hidden: expected an integer, found "x"; correct the value.'),
    ("network/settings/hidden", 32.0, "network.settings.hidden: expected an integer, found 32.0"),
    ("network/settings/hidden", True, "network.settings.hidden: expected an integer, found true"),
    ("network/settings/norm", "bath", 'norm: expected "batch" or "none", found "bath"'),
    ("network/trunk", "resnet", "network.trunk: expected one of convnet, …did you mean resnet18?"),
    (
        "network/normalisation",
        "none",
        'expected "image", "imagenet", "half", "clip" or "unit", fo',
    ),
    ("training/momentum", "0.9", 'training.momentum: expected a number, found "0.9"; remove the q'),
    ("target/k", 3, "target.k: expected an array, found 3; put it in square brackets."),
    ("title", 3, "title: expected a string, found 3; put it in quotes."),
    ("network", 3, "network: expected a table, found 3"),
    ("datasets", (1,), "datasets: expected a table, found [1]"),
    # The paper's figures.
    (
        "final/0/paper",
        {"0": (1.0,)},
        "final[0].paper.0: expected keys that are k, an integer of at",
    ),
    ("final/0/paper", {"-1": (1.0,)}, "final[0].paper.-1: expected keys that are k"),
    ("final/0/paper", {"2.5": (1.0,)}, 'final[0].paper."2.5": expected keys that are k'),
    ("final/0/paper", {"2": (101.0,)}, "final[0].paper.2[0]: expected a value of at most 100"),
    ("final/0/paper", {"2": ()}, "final[0].paper.2: expected an array of length at least 1"),
    ("final/0/paper", {"2": 90.0}, "final[0].paper.2: expected an array, found 90.0"),
    # Data.
    (
        "target/dataset",
        "mnits",
        "target.dataset: expected one of svhn, mnist, …did you mean mnist?",
    ),
    ("sources/0/dataset", "x", 'sources[0].dataset: expected one of svhn, mnist, found "x"'),
    (
        "sources/1/classes",
        ("0", "ten"),
        "sources[1].classes[1]: expected one of 0, 1, 2, 3, 4, 5, ",
    ),
    ("target/classes", ("5", "5"), "target.classes[1]: expected no value twice, found"),
    ("target/classes", tuple("5678"), "sources: expected a source with the target's label space ("),
    (
        "sources/1/classes",
        tuple("045"),
        "sources[1].classes: expected no class of the target's, be",
    ),
    ("datasets/svhn", {"reader": "svhn", "embedded": "svhn"}, "datasets.svhn.embedded: expected o"),
    ("datasets/svhn", {"reader": "svnh", "embedded": "street"}, "datasets.svhn.reader: …mean svhn"),
    ("sources", (), "sources: expected an array of length at least 1, found length 0"),
    # Names.
    ("sources/1/name", "S1", 'sources[1].name: expected names that differ, found "S1" again'),
    (
        "sources/1/name",
        "V",
        "sources[1].name: expected a name that is not V, U, S_u, target, found",
    ),
    (
        "sources/1/name",
        "a.b",
        "sources[1].name: expected letters, digits, - and _, 60 at most",
    ),
    ("name", "../up", "name: expected letters, digits, - and _, 60 at most (the name is used in"),
    ("name", "a" * 61, "name: expected letters, digits, - and _, 60 at most (the name is used in"),
    ("name", "", "name: expected letters, digits, - and _, 60 at most (the name is used in"),
    ("final/0/name", "GradMix", 'final[0].name: expected names that differ, found "GradMix" again'),
    ("final/0/name", "a\nb", "final[0].name: expected a text on one line without spaces around it"),
    ("title", " ", "title: expected a text on one line without spaces around it"),
]


@pytest.mark.parametrize(("path", "value", "expected"), WRONG)
def test_a_wrong_value_is_refused_at_its_key(values, path, value, expected):
    put(values, path, value)
    message = wrong(values)
    start, _, end = expected.partition("…")
    assert start in message
    assert end in message
    assert message == " ".join(message.splitlines())
    assert ", found " in message


@pytest.mark.parametrize("path", ["training/stepz", "network/trunkk", "first_stage/betta"])
def test_a_misspelt_key_is_named_before_the_one_that_is_missing(values, path):
    table, key = path.split("/")
    right = next(name for name in values[table] if name[:3] == key[:3])
    values[table][key] = values[table].pop(right)
    assert wrong(values).startswith(f"{table}.{key}: expected one of ")
    assert wrong(values).endswith(f'found "{key}"; did you mean {right}?')


def test_an_unknown_key_and_one_that_is_missing_elsewhere_are_both_named(values):
    values["training"]["dataset"] = values["target"].pop("dataset")
    with pytest.raises(ValidationError) as caught:
        Experiment.model_validate(values)
    keys = [dotted(found.key) for found in findings_in(caught.value.errors())]
    assert keys == ["target.dataset", "training.dataset"]


def test_a_missing_key_is_named(values):
    del values["target"]["dataset"]
    assert wrong(values) == "target.dataset: expected a value, found none; add the key."


def test_fine_tuning_needs_its_source_only_model_before_it(values):
    rows = {row["method"]: row for row in values["baselines"]}
    values["baselines"] = (rows["fine_tune"], rows["source_only"])
    assert "baselines[0].method" in wrong(values)
    assert "found it further on: source_only" in wrong(values)
    values["baselines"] = values["baselines"][::-1]
    Experiment.model_validate(values)


def test_the_same_images_under_another_name_do_not_show_the_labels_of_u(values):
    values["datasets"]["again"] = dict(values["datasets"]["mnist"])
    values["sources"][0]["dataset"] = "again"
    assert wrong(values).startswith("sources[0].classes: expected no class of the target's")
