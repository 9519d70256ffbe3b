"""What a record holds for the tables, figures and studies, gathered from made-up results."""

import pytest

from flows.records.results import results
from tasks.codec import encode
from tasks.reporting.right_answers import unpacked

EVERYTHING = (
    "[ensemble]",
    '[outputs]\ntables = [1, 2]\nfigures = [3, 4]\nstudies = ["rho", "hyper_validation"]\n'
    "[ensemble]\nr_sweep = [1, 2]",
)
ONLY_TABLE_1 = ("[ensemble]", "[outputs]\ntables = [1]\nfigures = []\n[ensemble]")
MORE_ROWS = (
    "[first_stage]",
    '[[baselines]]\nname = "MME"\nmethod = "mme"\n[[baselines]]\nname = "Joint"\n'
    'method = "joint"\n[first_stage]',
)


@pytest.fixture
def results_of(imitate, tmp_path):
    """The results of an order whose stages are all finished, and the pipeline's handles."""

    def make(order):
        stages = imitate(order, tmp_path / "home")
        return encode(results(order, stages, tmp_path / "home")), stages

    return make


def test_cells_have_a_test_accuracy_where_table_2_is_asked_for(results_of, tiny_order):
    found, stages = results_of(tiny_order(EVERYTHING))
    test = stages.draws[0].evaluation.artifact.summary["test"]
    assert [cell["test_accuracy"] for cell in found["cells"]] == [
        test["GradMix beta=5 gamma=0"]["accuracy"],
        test["GradMix beta=10 gamma=0"]["accuracy"],
    ]
    assert {cell["test_n"] for cell in found["cells"]} == {50}


def test_without_table_2_the_test_split_stays_closed_for_cells(results_of, tiny_order):
    found, stages = results_of(tiny_order(ONLY_TABLE_1))
    assert {cell["test_accuracy"] for cell in found["cells"]} == {None}
    assert set(stages.draws[0].evaluation.artifact.summary["test"]) == set(stages.draws[0].rows)


def test_there_is_an_ensemble_for_every_r_of_figure_4(results_of, tiny_order):
    found, stages = results_of(tiny_order(EVERYTHING))
    test = stages.draws[0].evaluation.artifact.summary["test"]
    assert [entry["r"] for entry in found["ensembles"]] == [1, 2]
    for entry in found["ensembles"]:
        final = stages.draws[0].ensembles[entry["r"]].final.artifact
        assert entry["test_accuracy"] == test[f"R={entry['r']}"]["accuracy"]
        assert entry["accuracy"] == final.summary["accuracy"]
        assert entry["identity"] == final.identity
        assert (entry["coverage"], entry["threshold"]) == (0.6, 0.5)
    # The R of the table is not trained a second time.
    assert found["ensembles"][1]["identity"] == _row(found, "GradMix hard")["identity"]
    assert [entry["r"] for entry in found["pseudo_labels"]] == [2]


def test_a_swept_model_may_be_the_best_of_several_rates(results_of, tiny_order):
    rates = ('labels = "hard"', 'labels = "hard"\nlearning_rates = [0.05, 0.02]')
    found, stages = results_of(tiny_order(EVERYTHING, rates))
    searches = stages.draws[0].searches
    for name, entry in zip(("GradMix hard, R=1", "GradMix hard"), found["ensembles"], strict=True):
        best = max((t.artifact for t in searches[name]), key=lambda t: t.summary["accuracy"])
        assert (entry["identity"], entry["accuracy"]) == (best.identity, best.summary["accuracy"])


def test_figure_3_compares_the_chosen_models(results_of, tiny_order):
    found, _ = results_of(tiny_order(EVERYTHING))
    assert [curve["row"] for curve in found["curves"]] == ["Source only", "GradMix"]
    for curve in found["curves"]:
        # The made-up curve of a training starts at 2 + its number.
        number = round(100 * (_row(found, curve["row"])["accuracy"] - 0.5))
        assert curve["points"] == [
            {"step": 10, "accuracy": 0.4, "loss": 2.0 + number},
            {"step": 20, "accuracy": 0.5, "loss": 1.0 + number},
        ]


def test_studies_stand_draw_by_draw(results_of, tiny_order):
    found, _ = results_of(tiny_order(EVERYTHING, draws=2))
    rho, sizes = found["studies"]["rho"], found["studies"]["hyper_validation"]
    assert [(part["draw"], part["start"]) for part in rho] == [
        (draw, start) for draw in (0, 1) for start in ("initial", "trained")
    ]
    assert [(entry["k"], entry["draw"], entry["cells"]) for entry in sizes] == [
        (2, 0, 2),
        (2, 1, 2),
    ]


def test_what_is_not_asked_for_is_not_there(results_of, tiny_order):
    found, _ = results_of(tiny_order(ONLY_TABLE_1))
    assert found["ensembles"] == found["curves"] == []
    assert found["studies"] == {"rho": [], "hyper_validation": [], "sources": [], "labels": []}


def test_right_answers_and_candidates_stand_with_their_rows(results_of, tiny_order):
    rates = ("learning_rates = [0.05]", "learning_rates = [0.05, 0.02]")
    found, stages = results_of(tiny_order(rates))
    draw = stages.draws[0]
    searched = [future.artifact.summary["accuracy"] for future in draw.searches["Source only"]]
    assert _row(found, "Source only")["candidates"] == searched
    cells = [future.artifact.summary["accuracy"] for future in draw.cells.values()]
    assert _row(found, "GradMix")["candidates"] == cells
    final = _row(found, "GradMix hard")
    assert final["candidates"] == [final["accuracy"]]
    for row in found["rows"]:
        assert int(unpacked(row["right"], 50).sum()) == round(50 * row["test_accuracy"])


def test_sources_are_left_out_and_labels_added_draw_by_draw(results_of, tiny_order):
    asked = (
        "[ensemble]",
        '[outputs]\ntables = []\nfigures = []\nstudies = ["sources", "labels"]\n'
        "label_k = [1, 2, 4]\n[ensemble]",
    )
    found, stages = results_of(tiny_order(asked, draws=2))
    test = [draw.evaluation.artifact.summary["test"] for draw in stages.draws]
    names = {None: "all sources", "S1": "without S1", "S2": "without S2"}
    assert [
        (one["draw"], one["left_out"], one["test_accuracy"]) for one in found["studies"]["sources"]
    ] == [
        (d, left_out, test[d][name]["accuracy"]) for d in (0, 1) for left_out, name in names.items()
    ]
    labels = found["studies"]["labels"]
    assert [(one["k"], one["draw"], one["labels"]) for one in labels] == [
        (k, d, 2 * k) for k in (1, 2, 4) for d in (0, 1)
    ]
    # The table's own k is not trained again.
    assert labels[2]["identity"] == stages.draws[0].middle.artifact.identity


def test_rows_without_u_stand_before_those_with_it(results_of, tiny_order):
    found, _ = results_of(tiny_order(MORE_ROWS))
    assert [(row["row"], row["datasets"]) for row in found["rows"]] == [
        ("Source only", ["S1", "S2"]),
        ("Joint", ["S1", "S2", "V"]),
        ("GradMix", ["S1", "S2", "V"]),
        ("MME", ["S1", "V", "U"]),
        ("GradMix hard", ["S1", "S2", "V", "U"]),
    ]


def test_rows_say_how_many_steps_their_seconds_are(results_of, tiny_order):
    found, _ = results_of(tiny_order())
    assert {(row["steps"], row["resumed_from"]) for row in found["rows"]} == {(20, 0)}


def _row(found, name):
    return next(row for row in found["rows"] if row["row"] == name)
