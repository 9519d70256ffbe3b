"""One tiny reproduction from a user's command line, told once and looked at from many sides.

The command is killed in its first trainings and started again; then it runs once more, after the
loss of a file, with one cell done again, with a damaged record, and on data that no stage can use.
"""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from flows.monitoring.status_file import read_statuses
from tasks.tracking.addresses import MODE

pytestmark = pytest.mark.flow

SESSION = Path(__file__).with_name("session.py")
LOST, FINAL = "k=2 draw=0: GradMix beta=10 gamma=0", "k=2 draw=0: GradMix hard"
MADE_FROM_THE_CELL = [
    LOST,
    "k=2 draw=0: select top 2",
    "k=2 draw=0: pseudo-labels of the top 2",
    "k=2 draw=0: enlarged V by the top 2",
    FINAL,
    "k=2 draw=0: evaluation",
]
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
    told.killed.kill_when(told.killed.checkpoints)
    told.left_after_kill = told.killed.left_over()
    # Another training may have come to a checkpoint before the kill reached it.
    told.interrupted = [path.name for path in told.killed.checkpoints()]
    told.kept = results_in(home)
    told.dead = read_statuses(home)

    broken = told.raw / "SVHN" / "train_32x32.mat"
    broken.write_bytes(broken.read_bytes()[:-500])
    told.broken = broken
    at_home = [*words, "--home", str(home)]
    steps = [
        {"run": at_home},
        {"run": ["plan", *at_home[1:]], "remove": LOST},
        {"run": at_home},
        {"run": ["rerun", *at_home[1:], "--cell", "beta=10,gamma=0", "--force"]},
        {"run": ["report", "NAME", "--home", str(home)], "spoil": "reproductions/*/record.json"},
        {"run": at_home},
        {"run": ["report", "NAME", "--home", str(home)]},
        {"run": [*at_home, "--data", str(told.raw)]},
        {"run": [*at_home, "--k", "2", "--k", "200"]},
    ]
    (folder / "steps.json").write_text(json.dumps(steps))
    subprocess.run(
        [sys.executable, "-P", SESSION, home, folder / "steps.json", folder / "results.json"],
        cwd=folder,
        check=True,
        timeout=600,
        env=told.killed.environment,
    )
    told.left_after_end = told.killed.left_over()
    results = json.loads((folder / "results.json").read_text())
    told.runs, told.champion = results["runs"], results["champion"]
    told.flow_runs, told.jobs = results["flow_runs"], results["jobs"]
    steps = results["steps"]
    told.finished, told.plan, told.mended, told.rerun = steps[:4]
    told.unreadable, told.again, told.report, told.truncated, told.greedy = steps[4:]
    told.executions, told.artifacts = told.finished["executions"], told.finished["artifacts"]
    return told


def executed_in(step, before):
    """Labels of what a step has executed, in order."""
    new = step["executions"][len(before["executions"]) :]
    return [entry["label"] for entry in new]


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
    report, mlflow, runs = lines[-3:]
    assert (told.folder / report.removeprefix("Report: ")).is_file()
    assert mlflow.endswith(f"mlflow ui --backend-store-uri sqlite:///{told.home}/mlflow.db")
    assert runs.startswith("Runs: http://127.0.0.1:5000/#/experiments/")
    assert runs.endswith("/runs?workflowType=machine_learning")


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
    assert executed_in(told.mended, told.plan) == [LOST]
    assert told.mended["artifacts"][LOST]["digest"] == told.artifacts[LOST]["digest"]


def test_a_cell_is_done_again_with_exactly_what_is_made_from_it(told):
    assert (told.rerun["code"], told.rerun["err"]) == (0, [])
    assert executed_in(told.rerun, told.mended) == MADE_FROM_THE_CELL
    lines = told.rerun["out"]
    assert lines[0] == "Again: beta=10,gamma=0 and what is made from it, 6 stages."
    start = lines.index("Ran 6 stages:")
    assert [line.strip() for line in lines[start + 1 :]] == MADE_FROM_THE_CELL
    # The same figures, bit for bit.
    digests = [
        {label: entry["digest"] for label, entry in step["artifacts"].items()}
        for step in (told.finished, told.rerun)
    ]
    assert digests[0] == digests[1]


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


def test_an_unreadable_record_is_made_again_by_the_command_that_is_named(told):
    (line,) = told.unreadable["err"]
    assert line.endswith("found an unreadable file; gradmix reproduce makes it again.")
    assert [told.unreadable["code"], told.again["code"], told.report["code"]] == [2, 0, 0]
    assert told.again["executions"] == told.rerun["executions"]


def test_a_failed_stage_leaves_nothing_half_written(told):
    assert list(told.home.glob("work/*/*/output")) == []
    assert list(told.home.rglob("*.tmp")) == []


# What MLflow knows.


def runs(told, stage):
    return [run for run in told.runs if run["tags"]["gradmix.stage"] == stage]


def test_there_is_one_parent_for_each_reproduction_that_ran_and_one_child_for_each_training(told):
    parents = runs(told, "reproduction")
    # The killed one was continued; more commands reproduced the same, or failed.
    names = Counter(
        (run["name"].rpartition("-")[2] == parents[-1]["name"].rpartition("-")[2], run["status"])
        for run in parents
    )
    assert names == {(True, "FINISHED"): 4, (False, "FAILED"): 2}
    first = told.artifacts[FINAL]["notes"]["run_id"]
    trainings = runs(told, "train")
    assert Counter(run["name"] for run in trainings) == dict.fromkeys(TRAININGS, 1) | {
        LOST: 3,
        FINAL: 2,
    }
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


def test_every_reproduction_names_its_models_and_keeps_the_chain_of_its_champion(told):
    finished = [run for run in runs(told, "reproduction") if run["status"] == "FINISHED"]
    assert all({"lineage.html", "lineage.json"} <= set(run["files"]) for run in finished)
    assert all(run["data"] == ["test"] for run in finished)
    again, rerun, mended, first = (set(run["models"]) for run in finished)
    # What was cached belongs to an older reproduction; what was trained again is another model.
    assert again == rerun
    assert len(first - mended) == len(mended - first) == 1
    assert len(mended - rerun) == len(rerun - mended) == 2
    maker = next(run for run in told.runs if told.champion in run["made"])
    assert maker["name"] == FINAL
    # It was made again with the cell.
    assert told.champion in rerun - mended


def test_the_description_of_a_run_leads_to_what_it_was_made_from(told):
    by_name = {run["name"]: run for run in told.runs}
    labels = by_name["k=2 draw=0: pseudo-labels of the top 2"]
    final = by_name[FINAL]
    assert f"/runs/{labels['id']}{MODE})" in final["tags"]["mlflow.note.content"]
    assert f"/runs/{final['id']}{MODE})" in labels["tags"]["mlflow.note.content"]


# What Prefect knows.


def test_a_killed_run_is_known_to_have_crashed_once_the_next_one_starts(told):
    (dead,) = told.dead
    assert dead.is_dead
    assert dead.content["trainings"] == 4
    states = [state for state, *_ in told.flow_runs]
    assert states == ["CRASHED", *["COMPLETED"] * 4, "FAILED", "FAILED"]
    assert told.flow_runs[0][1] == "Its process is gone."
    assert read_statuses(told.home) == []


def test_what_prefect_has_cached_outlives_its_server(told):
    after_the_kill = set(told.flow_runs[1][2])
    assert after_the_kill
    assert after_the_kill <= set(told.kept)
    assert set(told.flow_runs[4][2]) >= TRAININGS


def test_a_job_is_a_child_of_the_flow_that_asks_and_one_key_is_one_run(told):
    jobs = told.jobs
    assert (jobs["same"], jobs["others"]) == (True, True)
    assert jobs["run"] == ["k=2 draw=0", ["driver:1"], {"key": "key-1"}, True]
    assert jobs["waiting"] == ["SCHEDULED", ""]
    assert jobs["unfinished"]


def test_a_closed_job_stays_as_it_was_closed_and_a_deleted_one_is_cancelled(told):
    assert told.jobs["closed"] == ["CRASHED", "lost"]
    assert told.jobs["left"]
    assert told.jobs["deleted"] == [["CANCELLED", "It was deleted."], []]


def test_without_the_deployment_a_job_costs_one_line(told):
    assert told.jobs["undeclared"].startswith("expected the deployment job/gradmix on Prefect's")
