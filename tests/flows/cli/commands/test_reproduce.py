"""What the commands print, over a home folder with made-up results."""

import json

import pytest
from click.testing import CliRunner

from deploy.cli import main
from flows.cli.commands.reproduce import open_tracking
from flows.monitoring.event_log import EventLog
from flows.records.record import make_record, save_record
from tasks.storage.home import open_home


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return open_home(tmp_path / "home")


@pytest.fixture
def finished(home, tiny_order, imitate):
    """A finished reproduction of the tiny experiment; returns its record."""
    order = tiny_order()
    stages = imitate(order, home, seconds=30.0)
    pages, memory = {"ui": "http://here"}, {"pss_mib": 10.0, "rss_mib": 12.0}
    record = make_record(order, stages, EventLog(), "run-id", ["cpu:0"], home, pages, memory)
    save_record(record, home)
    return record


def gradmix(*words):
    result = CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def test_a_plan_is_one_line_for_each_stage_and_a_sum(home, tiny):
    lines = gradmix("plan", tiny(), "--scale", "tiny", "--home", "home")
    assert lines[0] == "Tiny [x] digits: scale tiny, embedded data."
    assert lines[1].split() == ["stage", "cell", "state", "because"]
    assert len(lines) == 3 + 13 + 1
    assert lines[3].split() == ["prepare", "svhn", "train", "will", "run", "never", "made"]
    assert lines[-1] == "4 of 4 trainings will run."


def test_a_plan_of_what_is_finished_says_so(finished, tiny):
    lines = gradmix("plan", tiny(), "--scale", "tiny", "--home", "home")
    assert all(line.split()[-1] == "cached" for line in lines[3:-1])
    assert lines[-1] == "0 of 4 trainings will run."


def test_a_plan_estimates_the_time_from_earlier_trainings(finished, tiny, monkeypatch):
    class Pool:
        slots = ("a", "b")

    monkeypatch.setattr("flows.cli.commands.plan.SlotPool.of_this_machine", lambda **_: Pool())
    path = tiny(("steps = 20", "steps = 40"))
    lines = gradmix("plan", path, "--scale", "tiny", "--home", "home")
    assert lines[-1] == "4 of 4 trainings will run, about 2 min 00 s on 2 slots."


def test_a_pipe_gets_whole_lines_however_long(finished, tiny):
    name = "[b] " + "x" * 300
    path = tiny(('name = "Source only"', f'name = "{name}"'))
    lines = gradmix("plan", path, "--scale", "tiny", "--home", "home")
    assert any(f"k=2 draw=0: {name} lr=0.05" in line for line in lines)
    assert len(lines) == 17


def test_a_report_is_made_again_by_name_and_by_run(finished, home):
    folder = home / "reproductions" / finished.name
    for run in (finished.name, "run-id"):
        (folder / "report.md").unlink()
        lines = gradmix("report", run, "--home", "home")
        assert lines[0] == f"home/reproductions/{finished.name}/report.md"
        assert all((home.parent / line).is_file() for line in lines)


def test_a_report_takes_its_figures_from_the_record_alone(finished, home):
    path = home / "reproductions" / finished.name / "record.json"
    record = json.loads(path.read_text())
    record["title"] = "Another title"
    path.write_text(json.dumps(record))
    gradmix("report", "run-id", "--home", "home")
    assert "Another title" in path.with_name("report.md").read_text()


def test_tracking_is_opened_where_it_is(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    command = open_tracking(tmp_path)
    assert command.endswith(f"mlflow ui --backend-store-uri sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking:5000")
    assert open_tracking(tmp_path) == "http://tracking:5000"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:////other/mlflow.db")
    assert open_tracking(tmp_path).endswith("--backend-store-uri sqlite:////other/mlflow.db")
