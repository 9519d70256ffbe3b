"""One cell again, and exactly what is made from it."""

import pytest

from flows.experiment.toml_file import SettingsError
from flows.pipeline.plan import make_plan
from flows.pipeline.subjects import cell_subject
from flows.rerun import Cell, cell, forget, forgotten, made_from
from tasks.storage.home import open_home
from tasks.subjects import Subject

PLACE = "k=2 draw=0: "
# By hand, for the tiny experiment: its grid has two cells, its ensemble takes both.
AFTER_A_CELL = {
    f"{PLACE}select top 2",
    f"{PLACE}pseudo-labels of the top 2",
    f"{PLACE}enlarged V by the top 2",
    f"{PLACE}GradMix hard",
    f"{PLACE}evaluation",
}
TWO_RATES = ("learning_rates = [0.05]", "learning_rates = [0.05, 0.02]")
TWO_DRAWS = ("draws = 1", "draws = 2")
TWO_K = ("k = [2]", "k = [2, 3]")


def of_cell(beta):
    return cell_subject("GradMix", 2, 0, {"beta": beta, "gamma": 0})


def labels_of(entries):
    return {entry.label for entry in entries}


def labels(cell, order):
    return [subject.label for subject in cell.subjects(order)]


def states(order, home):
    return {entry.label: entry.state for entry in make_plan(order, home)}


def artifacts(home):
    return {path.parent.name for path in home.glob("artifacts/*/*/result.json")}


def forget_cell(order, home, cell):
    return forget(made_from(make_plan(order, home), cell.subjects(order)), home, None)


# Words.


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("beta=10,gamma=0.6", Cell(10.0, 0.6)),
        ("gamma=0.6,beta=1e1", Cell(10.0, 0.6)),
        ("beta=10, gamma=0, k=3, draw=0", Cell(10.0, 0.0, 3, 0)),
        ("beta=5,gamma=0.25,draw=2", Cell(5.0, 0.25, None, 2)),
    ],
)
def test_a_cell_is_read_from_its_words_and_said_in_them(text, expected):
    assert Cell.read(text) == expected
    assert Cell.read(expected.words) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "beta=10",
        "gamma=0.6",
        "10,0.6",
        "beta=ten,gamma=0",
        "beta=10,gamma=0,k=3.5",
        "beta=10,gamma=0,k=",
        "beta=10,gamma=0,seed=1",
        "beta=10,gamma=0,",
        "beta=10;gamma=0",
    ],
)
def test_other_words_cost_one_line(text):
    with pytest.raises(SettingsError, match=r"^--cell: expected beta=[^\n]*; correct it\.$") as e:
        Cell.read(text)
    assert repr(text) in str(e.value)


def test_without_k_and_draw_a_cell_is_trained_for_all(tiny_order):
    order = tiny_order(TWO_K, TWO_DRAWS)
    name = "GradMix beta=10 gamma=0"
    assert labels(Cell.read("beta=10,gamma=0"), order) == [
        f"k={k} draw={draw}: {name}" for k in (2, 3) for draw in (0, 1)
    ]
    assert labels(Cell.read("beta=10,gamma=0,draw=1"), order) == [
        f"k={k} draw=1: {name}" for k in (2, 3)
    ]
    assert labels(Cell.read("beta=10,gamma=0,k=3,draw=0"), order) == [f"k=3 draw=0: {name}"]


@pytest.mark.parametrize(
    "text",
    [
        "beta=7,gamma=0",
        "beta=10,gamma=0.4",
        "beta=nan,gamma=0",
        "beta=10,gamma=0,k=3",
        "beta=10,gamma=0,draw=1",
        "beta=10,gamma=0,draw=-1",
    ],
)
def test_a_cell_that_the_experiment_has_not_costs_one_line_that_says_which_it_has(tiny_order, text):
    with pytest.raises(SettingsError) as raised:
        Cell.read(text).subjects(tiny_order())
    expected = "expected beta one of 5, 10, gamma one of 0, k one of 2 and draw below 1, found "
    assert str(raised.value) == f"--cell: {expected}{Cell.read(text).words}; correct it."


def test_every_label_is_one_of_the_plans(tiny_order, tmp_path):
    order = tiny_order(TWO_K, TWO_DRAWS)
    known = labels_of(make_plan(order, tmp_path))
    assert set(labels(Cell.read("beta=5,gamma=0"), order)) <= known


# What is made from it.


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize("beta", [5, 10])
def test_what_is_made_from_a_cell_is_everything_after_it_and_nothing_else(
    tiny_order, tmp_path, imitate, beta, finished
):
    order = tiny_order()
    if finished:
        imitate(order, tmp_path)
    label = f"{PLACE}GradMix beta={beta} gamma=0"
    chosen = made_from(make_plan(order, tmp_path), [of_cell(beta)])
    assert labels_of(chosen) == {label, *AFTER_A_CELL}
    # Neither the other cell, nor a baseline, nor data.
    assert len(chosen) == 6 < len(make_plan(order, tmp_path))


def test_they_stand_in_the_order_in_which_they_are_made(tiny_order, tmp_path):
    entries = make_plan(tiny_order(), tmp_path)
    chosen = made_from(entries, [of_cell(5)])
    assert chosen == [entry for entry in entries if entry in chosen]
    assert chosen[0].label == f"{PLACE}GradMix beta=5 gamma=0"


def test_other_draws_are_not_made_from_it(tiny_order, tmp_path, imitate):
    order = tiny_order(TWO_DRAWS)
    imitate(order, tmp_path)
    chosen = made_from(make_plan(order, tmp_path), [of_cell(5)])
    assert labels_of(chosen) == {f"{PLACE}GradMix beta=5 gamma=0", *AFTER_A_CELL}


def test_what_is_waited_for_without_being_read_is_not_made_from_it(tiny_order, tmp_path):
    # Every training waits for all splits; no test is opened before the last training.
    order = tiny_order(TWO_DRAWS)
    entries = make_plan(order, tmp_path)
    split = made_from(entries, [Subject.of("split", 2, 1)])
    assert {entry.label[:12] for entry in split} == {"k=2 draw=1: "}


def test_a_cell_that_is_a_candidate_of_the_learning_rate_search_as_well_is_one_training(
    tiny_order, tmp_path, imitate
):
    # Later ones are better here, so the search at the middle cell, beta 10, takes its second rate.
    order = tiny_order(TWO_RATES)
    imitate(order, tmp_path)
    entries = make_plan(order, tmp_path)
    middle, other = (f"{PLACE}GradMix beta={beta} gamma=0" for beta in (10, 5))
    identity = {entry.label: entry.artifact.identity for entry in entries}
    assert identity[middle] == identity[f"{middle} lr=0.02"]

    assert labels_of(made_from(entries, [of_cell(10)])) == {
        middle,
        f"{middle} lr=0.02",
        # The rate is found from it, and all cells are trained with the rate.
        f"{PLACE}select GradMix learning rate",
        other,
        *AFTER_A_CELL,
    }
    assert labels_of(made_from(entries, [of_cell(5)])) == {other, *AFTER_A_CELL}


# Forgetting.


def test_forgotten_is_what_is_made_from_it_and_the_rest_stays(tiny_order, tmp_path, imitate):
    order, chosen = tiny_order(), Cell.read("beta=10,gamma=0")
    imitate(order, tmp_path)
    before = artifacts(tmp_path)
    plan = make_plan(order, tmp_path)
    doomed = {e.artifact.identity[:32] for e in made_from(plan, chosen.subjects(order))}

    subjects = forget_cell(order, tmp_path, chosen)

    names = {subject.label for subject in subjects}
    assert names == {f"{PLACE}GradMix beta=10 gamma=0", *AFTER_A_CELL}
    assert artifacts(tmp_path) == before - doomed
    assert len(doomed) == 6
    found = states(order, tmp_path)
    assert {e.label: e.state for e in forgotten(plan, subjects)} == found
    assert {label for label, state in found.items() if state == "cached"} == found.keys() - names
    assert found[f"{PLACE}GradMix beta=10 gamma=0"] == "will run"


def test_forgetting_twice_is_forgetting_once(tiny_order, tmp_path, imitate):
    order, chosen = tiny_order(), Cell.read("beta=5,gamma=0,k=2,draw=0")
    imitate(order, tmp_path)
    forget_cell(order, tmp_path, chosen)
    before = artifacts(tmp_path)
    forget_cell(order, tmp_path, chosen)
    assert artifacts(tmp_path) == before


def test_what_was_made_last_goes_first(tiny_order, tmp_path, imitate, monkeypatch):
    # A kill in between leaves no result whose inputs are gone.
    order, chosen = tiny_order(), Cell.read("beta=10,gamma=0")
    imitate(order, tmp_path)
    gone = []
    monkeypatch.setattr("flows.rerun.Store.forget", lambda _, artifact: gone.append(artifact.label))
    labels_in_order = [subject.label for subject in forget_cell(order, tmp_path, chosen)]
    assert gone == labels_in_order[::-1]
    assert gone[-1] == f"{PLACE}GradMix beta=10 gamma=0"


# As a flow of a deployment.


@pytest.fixture
def asked(monkeypatch):
    """The specifications that are run."""
    asked = []
    monkeypatch.setattr("flows.rerun.run", lambda *given: (asked.append(given), "a folder")[1])
    return asked


@pytest.mark.parametrize("force", [True, False])
def test_the_flow_forgets_if_it_must_and_reproduces(tiny_order, tmp_path, imitate, asked, force):
    order = tiny_order()
    home = open_home(tmp_path / "home")
    imitate(order, home)
    before = artifacts(home)
    words = {"experiment": order.request.experiment, "scale": "tiny", "home": str(home)}
    assert cell.fn(10.0, 0.0, force=force, **words) == "a folder"
    ((spec, *where),) = asked
    assert (spec.request, spec.identity) == (order.request, order.identity)
    assert where == [home, "workers"]
    assert len(before) - len(artifacts(home)) == (6 if force else 0)


def test_the_flow_refuses_a_cell_that_is_not_there_before_anything_is_done(
    tiny, tmp_path, imitate, asked
):
    words = {"experiment": tiny(), "scale": "tiny", "home": str(tmp_path / "home")}
    with pytest.raises(SettingsError, match="beta one of 5, 10"):
        cell.fn(7.0, 0.0, force=True, **words)
    assert asked == []
