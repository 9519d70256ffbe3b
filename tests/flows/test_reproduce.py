"""One tiny reproduction from a user's command line, told once and looked at from many sides.

The command is killed in its first trainings and started again; then it runs once more, after the
loss of a file, and on data that no stage can use.
"""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

pytestmark = pytest.mark.flow

SESSION = Path(__file__).with_name("session.py")
LOST, FINAL = "k=2 draw=0: GradMix beta=10 gamma=0", "k=2 draw=0: GradMix hard"
TRAININGS = {"k=2 draw=0: Source only lr=0.05", "k=2 draw=0: GradMix beta=5 gamma=0", LOST, FINAL}


def results_in(home):
    """Results by label."""
    results = [json.loads(path.read_text()) for path in home.glob("artifacts/*/*/result.json")]
    return {result["label"]: result for result in results}


@pytest.fixture(scope="module")
def told(tmp_path_factory, tiny_text, command, write_raw):
    """Everything that happened, in order."""
    folder = tmp_path_factory.mktemp("told")
    home, file = folder / "home", folder / "tiny.toml"
    file.write_text(tiny_text.replace("steps = 20", "steps = 60"))
    words = ["reproduce", str(file), "--scale", "tiny"]
    told = SimpleNamespace(folder=folder, home=home, raw=write_raw(folder / "raw"))

    told.killed = command(home, *words).start()
    told.interrupted = [path.name for path in told.killed.kill_when(told.killed.checkpoints)]
    told.left_after_kill = told.killed.left_over()
    told.kept = results_in(home)

    broken = told.raw / "SVHN" / "train_32x32.mat"
    broken.write_bytes(broken.read_bytes()[:-500])
    told.broken = broken
    at_home = [*words, "--home", str(home)]
    steps = [
        {"run": at_home},
        {"run": at_home},
        {"run": ["plan", *at_home[1:]], "remove": LOST},
        {"run": at_home},
        {"run": [*at_home, "--data", str(told.raw)]},
        {"run": [*at_home, "--k", "2", "--k", "200"]},
    ]
    (folder / "steps.json").write_text(json.dumps(steps))
    subprocess.run(
        [sys.executable, "-P", SESSION, home, folder / "steps.json", folder / "results.json"],
        cwd=folder,
        check=True,
        timeout=300,
        env=told.killed.environment,
    )
    told.left_after_end = told.killed.left_over()
    results = json.loads((folder / "results.json").read_text())
    told.runs = results["runs"]
    told.finished, told.again, told.plan, told.mended, told.truncated, told.greedy = results[
        "steps"
    ]
    told.executions, told.artifacts = told.finished["executions"], told.finished["artifacts"]
    told.later = told.greedy["executions"][len(told.executions) :]
    return told


def test_a_kill_leaves_no_process_behind(told):
    assert told.killed.code == -9
    assert told.left_after_kill == []


def test_the_same_command_goes_on_and_ends_well(told):
    assert (told.finished["code"], told.finished["err"]) == (0, [])
    assert told.left_after_end == []
    assert set(told.artifacts) > TRAININGS


def test_nothing_that_was_finished_runs_twice(told):
    counts = Counter(entry["label"] for entry in told.executions)
    assert told.kept
    assert {label: counts[label] for label in told.kept} == dict.fromkeys(told.kept, 1)
    assert [label for label in told.kept if told.kept[label] != told.artifacts[label]] == []


def test_the_interrupted_trainings_go_on_from_their_checkpoints(told):
    resumed = {
        entry["identity"][:32]: entry["notes"]["resumed_from"]
        for label, entry in told.artifacts.items()
        if label in TRAININGS
    }
    assert told.interrupted
    assert {resumed[name] % 10 for name in told.interrupted} == {0}
    assert min(resumed[name] for name in told.interrupted) >= 10
    assert all(resumed[name] == 0 for name in resumed if name not in told.interrupted)


def test_no_unfinished_work_is_left(told):
    assert list(told.home.glob("work/*/*")) == []


def test_the_output_tells_what_runs_and_ends_with_table_report_and_mlflow(told):
    lines = told.finished["out"]
    assert lines[0].startswith("Tiny [x] digits: scale tiny, embedded data, 4 trainings (0 cached)")
    ends = [line for line in lines if "  finished  " in line]
    assert {label for label in TRAININGS if any(label in line for line in ends)} == TRAININGS
    assert any("(4/4 trainings)" in line for line in ends)
    table = lines.index(next(line for line in lines if line.startswith("Method")))
    assert [line.split("  ")[0] for line in lines[table + 2 : table + 5]] == [
        "Source only",
        "GradMix",
        "GradMix hard",
    ]
    report, mlflow = lines[-2:]
    assert (told.folder / report.removeprefix("Report: ")).is_file()
    assert mlflow.endswith(f"mlflow ui --backend-store-uri sqlite:///{told.home}/mlflow.db")


def test_record_and_report_lie_where_the_output_says(told):
    (folder,) = (told.home / "reproductions").iterdir()
    record = json.loads((folder / "record.json").read_text())
    assert record["name"] == folder.name
    assert [row["row"] for row in record["rows"]] == ["Source only", "GradMix", "GradMix hard"]
    assert all(0 <= row["test_accuracy"] <= 1 for row in record["rows"])
    assert record["peak_memory"]["pss_mib"] > 100
    assert {"report.md", "results.csv", "cells.csv"} <= {path.name for path in folder.iterdir()}


def test_once_more_everything_is_cached(told):
    assert told.again["code"] == 0
    assert "4 trainings (4 cached)" in told.again["out"][0]
    assert not any("start" in line for line in told.again["out"])
    assert any("cached" in line and FINAL in line for line in told.again["out"])


def test_a_lost_model_is_named_by_the_plan_and_trained_again_and_nothing_else(told):
    stale = [line.split(maxsplit=1)[1] for line in told.plan["out"] if "stale" in line]
    assert len(stale) == 1
    assert stale[0].split("  ")[0] == LOST
    assert "model.pt is missing" in stale[0]
    assert told.mended["code"] == 0
    identities = {artifact["identity"] for artifact in told.artifacts.values()}
    again = [entry["label"] for entry in told.later if entry["identity"] in identities]
    assert again == [LOST]
    assert told.mended["artifacts"][LOST]["digest"] == told.artifacts[LOST]["digest"]


def test_a_truncated_file_costs_one_line_and_no_training(told):
    result = told.truncated
    assert result["code"] == 2
    (line,) = result["err"]
    assert line.startswith("gradmix: svhn train: Expected a MATLAB 5 file at ")
    assert str(told.broken) in line
    assert "truncated" in line
    failed = [text for text in result["out"] if "FAILED" in text]
    assert len(failed) == 1
    assert not any("start" in text for text in result["out"])


def test_too_few_samples_for_one_k_cost_one_line_and_no_training_of_any_k(told):
    result = told.greedy
    assert result["code"] == 2
    (line,) = result["err"]
    assert line.startswith("gradmix: k=200 draw=0: split: Expected at least 210 training samples")
    assert not any("start" in text for text in result["out"])


def test_a_failed_stage_leaves_nothing_half_written(told):
    assert list(told.home.glob("work/*/*/output")) == []
    assert list(told.home.rglob("*.tmp")) == []


# What MLflow knows.


def runs(told, stage):
    return [run for run in told.runs if run["tags"]["gradmix.stage"] == stage]


def test_there_is_one_parent_for_each_reproduction_that_ran_and_one_child_for_each_training(told):
    parents = runs(told, "reproduction")
    # The killed one was continued; three more commands reproduced the same, or failed.
    names = Counter(
        (run["name"].rpartition("-")[2] == parents[-1]["name"].rpartition("-")[2], run["status"])
        for run in parents
    )
    assert names == {(True, "FINISHED"): 3, (False, "FAILED"): 2}
    first = told.artifacts[FINAL]["notes"]["run_id"]
    trainings = runs(told, "train")
    assert Counter(run["name"] for run in trainings) == dict.fromkeys(TRAININGS, 1) | {LOST: 2}
    assert {run["status"] for run in trainings} == {"FINISHED"}
    assert first in {run["id"] for run in trainings}
    known = {run["id"] for run in parents}
    assert {run["tags"]["mlflow.parentRunId"] for run in trainings} <= known


def test_runs_carry_the_links_to_prefect_and_git(told):
    for run in runs(told, "train"):
        assert run["tags"]["prefect.flow_run_id"]
        assert run["tags"]["git.sha"]
        assert len(run["tags"]["gradmix.identity"]) == 64


def test_trainings_name_their_data_with_digests_and_their_curves(told):
    by_name = {run["name"]: run for run in runs(told, "train")}
    assert set(by_name["k=2 draw=0: Source only lr=0.05"]["data"]) == {
        *("S1", "S2", "hyper_validation", "test"),
    }
    assert {"S1", "S2", "V", "hyper_validation"} <= set(by_name[LOST]["data"])
    final = by_name[FINAL]
    assert {"S1", "S2", "enlarged V", "pseudo_labels"} <= set(final["data"])
    assert all(final["digests"])
    assert {"hyper_validation/accuracy", "test/accuracy"} <= final["metrics"].keys()
    assert final["params"]["training.steps"] == "60"


def test_the_chain_of_every_model_reaches_the_raw_data_without_a_gap(told):
    for run in runs(told, "train"):
        assert run["gaps"] == [], run["name"]
    final = next(run for run in runs(told, "train") if run["name"] == FINAL)
    raw = {name for kind, name, context in final["behind"] if context == "raw"}
    assert raw == {"embedded street", "embedded handwritten"}
    names = {name for kind, name, _ in final["behind"] if kind == "run"}
    assert {
        "k=2 draw=0: pseudo-labels of the top 2",
        "k=2 draw=0: GradMix beta=5 gamma=0",
        LOST,
    } <= names


def test_the_parent_lists_cached_cells_with_the_run_that_they_came_from(told):
    finished = [run for run in runs(told, "reproduction") if run["status"] == "FINISHED"]
    assert all("cells.csv" in run["files"] for run in finished)
    tables = [
        path.read_text().splitlines()
        for path in told.home.glob("mlartifacts/**/cells.csv")
        if path.read_text().startswith("cell,")
    ]
    states = [dict(Counter(line.split(",")[1] for line in table[1:])) for table in tables]
    assert {"cached": 4} in states
    assert {"cached": 3, "executed": 1} in states
    assert any(told.artifacts[FINAL]["notes"]["run_id"] in line for t in tables for line in t)
