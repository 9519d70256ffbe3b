"""The record of a reproduction, gathered from made-up results."""

import json
from dataclasses import replace

import pytest

from data.atomic import write_atomically
from flows.monitoring.event_log import EventLog
from flows.records.model_folder import champion_record
from flows.records.record import make_record, refresh_record, save_record
from flows.records.stored import FILE
from tasks.codec import encode
from tasks.events import Event
from tasks.reporting import report
from tasks.reporting.record import PAGE, decode_record
from tasks.subjects import Subject

TWO_RATES = ("learning_rates = [0.05]", "learning_rates = [0.05, 0.02]")
BASELINE = '[[baselines]]\nname = "{}"\nmethod = "{}"\n'
ALL_METHODS = (
    "[first_stage]",
    BASELINE.format("Target", "target_only")
    + BASELINE.format("Joint", "joint")
    + BASELINE.format("Tuned", "fine_tune")
    + "[first_stage]",
)


@pytest.fixture
def record_of(imitate, tmp_path, an_artifact):
    """The record of an order whose stages are all finished, and the pipeline's handles."""

    def make(order):
        stages = imitate(order, tmp_path / "home")
        event_log = EventLog()
        event_log.listen(
            Event(Subject(name="a"), "train", "finished", artifact=an_artifact(identity="a" * 64))
        )
        event_log.listen(
            Event(Subject(name="b"), "train", "cached", artifact=an_artifact(identity="b" * 64))
        )
        slots, pages = ["cpu:0", "cpu:1"], {"ui": "http://127.0.0.1:5000"}
        home = tmp_path / "home"
        memory = {"pss_mib": 10.0, "rss_mib": 12.0}
        made = make_record(order, stages, event_log, "parent-run", slots, home, pages, memory)
        return encode(made), stages

    return make


def rows(record, name):
    return [row for row in record["rows"] if row["row"] == name]


def test_a_record_says_what_was_asked_and_where_it_ran(record_of, tiny_order):
    order = tiny_order()
    record, _ = record_of(order)
    assert record["name"] == order.name
    assert record["identity"] == order.identity
    assert record["command"] == order.request.command
    assert record["run_id"] == "parent-run"
    assert (record["experiment"], record["scale"], record["seed"]) == ("tiny", "tiny", 0)
    assert record["title"] == "Tiny [x] digits"
    assert record["classes"] == ["5", "6"]
    assert record["hardware"]["slots"] == ["cpu:0", "cpu:1"]
    assert {"gradmix", "torch", "python"} <= record["versions"].keys()
    assert record["executed"] == {"trainings": 1, "cached": 1}
    assert record["paper"] == {"Source only": {"2": [82.39]}}
    assert record["settings"]["training"]["steps"] == 20
    assert record["seconds"] >= 0


def test_a_record_is_plain_json(record_of, tiny_order):
    record, _ = record_of(tiny_order())
    again = json.loads(json.dumps(record, allow_nan=False))
    assert again["rows"] == record["rows"]
    assert again["paper"] == {"Source only": {"2": [82.39]}}


def test_there_is_a_row_for_every_method_k_and_draw(record_of, tiny_order):
    record, _ = record_of(tiny_order(k=(2, 3), draws=2))
    found = [(row["row"], row["k"], row["draw"]) for row in record["rows"]]
    names = ["Source only", "GradMix", "GradMix hard"]
    assert sorted(found) == sorted((n, k, d) for n in names for k in (2, 3) for d in (0, 1))
    assert list(dict.fromkeys(row["row"] for row in record["rows"])) == names


def test_a_row_holds_the_figures_of_the_training_that_was_selected(record_of, tiny_order):
    record, stages = record_of(tiny_order(TWO_RATES))
    (row,) = rows(record, "Source only")
    trainings = [handle.artifact for handle in stages.draws[0].searches["Source only"]]
    # The made-up accuracies rise from training to training.
    assert row["identity"] == trainings[1].identity
    assert row["run_id"] == trainings[1].notes["run_id"]
    assert row["accuracy"] == trainings[1].summary["accuracy"]
    assert (row["learning_rate"], row["searched"]) == (0.02, [0.02, 0.05])
    assert row["seconds"] == pytest.approx(2.0)


def test_test_accuracies_stand_with_their_rows(record_of, tiny_order):
    record, stages = record_of(tiny_order())
    test = stages.draws[0].evaluation.artifact.summary["test"]
    # Three rows and two cells.
    assert len({entry["accuracy"] for entry in test.values()}) == 5
    for row in record["rows"]:
        assert row["test_accuracy"] == test[row["row"]]["accuracy"]
        assert row["test_n"] == 50


def test_the_row_of_the_first_stage_is_its_best_cell(record_of, tiny_order):
    record, _ = record_of(tiny_order())
    (row,) = rows(record, "GradMix")
    best = max(record["cells"], key=lambda cell: cell["accuracy"])
    assert row["identity"] == best["identity"]
    assert row["settings"]["beta"] == best["beta"] == 10.0


def test_cells_are_ranked_up_to_r(record_of, tiny_order):
    wide = ("beta = [5, 10]", "beta = [5, 10, 15]")
    record, _ = record_of(tiny_order(wide))
    assert [(cell["beta"], cell["gamma"], cell["rank"]) for cell in record["cells"]] == [
        (5.0, 0.0, None),
        (10.0, 0.0, 2),
        (15.0, 0.0, 1),
    ]


def test_searched_rates_are_those_that_were_compared_for_the_row(record_of, tiny_order):
    record, _ = record_of(tiny_order(TWO_RATES))
    assert [row["searched"] for row in record["rows"]] == [[0.02, 0.05], [0.02, 0.05], []]
    record, _ = record_of(tiny_order())
    assert [row["searched"] for row in record["rows"]] == [[0.05], [0.05], []]


def test_searched_settings_are_those_that_differ_among_what_was_compared(record_of, tiny_order):
    row = (
        '[[baselines]]\nname = "MDDA"\nmethod = "mdda"\nsearch = { entropy_weight = [0.1, 0.5] }\n'
    )
    record, _ = record_of(tiny_order(TWO_RATES, ("[first_stage]", f"{row}[first_stage]")))
    (found,) = rows(record, "MDDA")
    assert found["searched_settings"] == {"entropy_weight": [0.1, 0.5]}
    assert found["searched"] == [0.02, 0.05]
    assert found["settings"]["entropy_weight"] == 0.5
    assert rows(record, "Source only")[0]["searched_settings"] == {}
    assert rows(record, "GradMix hard")[0]["searched_settings"] == {}


def test_data_sets_of_a_row_are_all_that_its_model_has_seen(record_of, tiny_order):
    record, _ = record_of(tiny_order(ALL_METHODS))
    assert {row["row"]: row["datasets"] for row in record["rows"]} == {
        "Source only": ["S1", "S2"],
        "Target": ["V"],
        "Joint": ["S1", "S2", "V"],
        "Tuned": ["S1", "S2", "V"],
        "GradMix": ["S1", "S2", "V"],
        "GradMix hard": ["S1", "S2", "V", "U"],
    }


def test_data_are_named_with_the_digests_of_their_files(record_of, tiny_order, raw_files):
    order = tiny_order(data=str(raw_files))
    record, stages = record_of(order)
    by_name = {(entry["dataset"], entry["split"]): entry for entry in record["data"]}
    assert set(by_name) == {("svhn", "train"), ("mnist", "train"), ("mnist", "test")}
    test = by_name["mnist", "test"]
    assert test["raw"] == order.raw.digests["mnist", "test"]
    assert test["digest"] == stages.data["mnist", "test"].artifact.digest
    assert (test["reader"], test["samples"], test["official"]) == ("mnist", 30, False)


def test_pseudo_labels_stand_with_their_audit(record_of, tiny_order):
    record, stages = record_of(tiny_order())
    (entry,) = record["pseudo_labels"]
    assert (entry["unlabelled"], entry["agreed"], entry["precision"]) == (100, 60, 0.9)
    assert (entry["threshold"], entry["r"], entry["enlarged_v"]) == (0.5, 2, [5, 4])
    assert entry["run_id"] == stages.draws[0].ensembles[2].pseudo.artifact.notes["run_id"]


@pytest.mark.parametrize("cut", ["report.md", PAGE])
def test_a_report_whose_writing_was_cut_short_is_written_by_the_next_run(
    record_of, tiny_order, tmp_path, monkeypatch, cut
):
    order = tiny_order()
    record, stages = record_of(order)
    record = replace(decode_record(record), champion=champion_record(order, stages))
    folder = save_record(record, tmp_path)
    pages = {path.name for path in folder.iterdir()}

    def write(path, text):
        if path.name == cut:
            raise KeyboardInterrupt
        write_atomically(path, text)

    with monkeypatch.context() as patched:
        patched.setattr(report, "write_atomically", write)
        with pytest.raises(KeyboardInterrupt):
            save_record(record, tmp_path)
    assert not (folder / PAGE).exists()
    refresh_record(order, stages, tmp_path)
    assert {path.name for path in folder.iterdir()} == pages


def test_a_finished_report_is_left_alone(record_of, tiny_order, tmp_path):
    order = tiny_order()
    record, stages = record_of(order)
    record = replace(decode_record(record), champion=champion_record(order, stages))
    folder = save_record(record, tmp_path)
    (folder / PAGE).write_text("mine")
    refresh_record(order, stages, tmp_path)
    assert (folder / PAGE).read_text() == "mine"


def test_a_saved_record_lies_under_its_name_with_its_report(record_of, tiny_order, tmp_path):
    record, _ = record_of(tiny_order())
    folder = save_record(decode_record(record), tmp_path / "home")
    assert folder == tmp_path / "home" / "reproductions" / record["name"]
    assert json.loads((folder / FILE).read_text())["identity"] == record["identity"]
    assert "Tiny" in (folder / "report.md").read_text().splitlines()[0]
    assert (folder / "results.csv").read_text().count("\n") == 4
    assert not list(folder.glob("*.tmp"))
