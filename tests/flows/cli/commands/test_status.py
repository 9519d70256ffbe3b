"""`gradmix status` and `gradmix cancel`, over home folders with status files of made-up runs."""

import json
import os
import socket
import subprocess
import sys
from dataclasses import asdict
from unittest.mock import create_autospec

import pytest
from click.testing import CliRunner

from deploy.cli import main
from flows.cli.commands import cancel as cancel_command
from flows.cli.commands import status as status_command
from tasks.execution.fleet_state import Child, Fleet, state_file, write_fleet
from tasks.execution.prefect_runs import PrefectDispatch
from tasks.execution.processes import Process
from tasks.storage.home import open_home

LONG = "k=2 draw=0: GradMix [x] beta=10 " + "x" * 200
STATUS = {
    "name": "digits-demo-1",
    "title": "Digits",
    "engine": "local",
    "flow_run_id": None,
    "deployed": None,
    "started": "2026-01-02T03:04:05+00:00",
    "trainings": 12,
    "finished": 3,
    "cached": 2,
    "failed": [],
    "elapsed": 125.0,
    "left": 90.0,
    "running": [
        {
            "cell": "k=2 draw=0: GradMix beta=10 gamma=0",
            "slot": "cpu:1",
            "step": 25,
            "steps": 100,
            "accuracy": 0.5,
            "left": 90.0,
        }
    ],
}
SLEEPER = "print('ready', flush=True)\nimport time\ntime.sleep(60)"


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GRADMIX_HOME", raising=False)
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    return open_home(tmp_path / "home")


@pytest.fixture
def gradmix(home):
    """Run a command; returns exit code, lines of standard output, standard error."""

    def run(*words, code=0):
        result = CliRunner().invoke(main, [*words, "--home", "home"])
        assert isinstance(result.exception, SystemExit | None), result.exception
        assert result.exit_code == code, result.output
        return result.stdout.splitlines(), result.stderr

    return run


@pytest.fixture
def started(home):
    """Have a process work over the home folder, as its status file says: this one, or another."""

    def write(process=None, host="", **changes):
        process = process or Process.find(os.getpid())
        host = host or socket.gethostname()
        content = {**STATUS, "host": host, "process": asdict(process), **changes}
        folder = home / "status"
        folder.mkdir(exist_ok=True)
        path = folder / f"{host}-{process.pid}-{content['name']}.json"
        path.write_text(json.dumps(content))
        return path

    return write


@pytest.fixture
def sleeper():
    """Another process, that is there and waits."""
    with subprocess.Popen(
        [sys.executable, "-c", SLEEPER], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


@pytest.fixture
def dispatch(monkeypatch):
    """A Prefect server that knows two jobs of `run-1`."""
    dispatch = create_autospec(PrefectDispatch, instance=True)
    dispatch.unfinished.side_effect = lambda run: {"run-1": ["job-1", "job-2"]}.get(run, [])
    monkeypatch.setattr(cancel_command, "PrefectDispatch", lambda: dispatch)
    return dispatch


def ended():
    """A process that is gone."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    found = Process.find(process.pid)
    process.communicate()
    return found


# Status.


def test_where_nothing_runs_that_is_said(gradmix, home):
    before = sorted(home.rglob("*"))
    assert gradmix("status") == (["No reproduction is running over this home."], "")
    assert sorted(home.rglob("*")) == before


def test_what_runs_is_said_with_its_cells(gradmix, started):
    started()
    lines, _ = gradmix("status")
    where = f"local engine, pid {os.getpid()} on {socket.gethostname()}"
    assert lines[:2] == [
        f"digits-demo-1  running  {where}",
        "  5/12 trainings done, 2 of them cached, about 1 min 30 s left; 2 min 05 s so far",
    ]
    assert lines[2].split()[:3] == ["cell", "slot", "step"]
    assert lines[3].startswith("k=2 draw=0: GradMix beta=10 gamma=0")
    assert lines[3].split()[-7:] == ["cpu:1", "25/100", "50.0%", "1", "min", "30", "s"]
    assert len(lines) == 4


def test_the_page_in_mlflow_is_named_where_it_is_known(gradmix, started):
    page = "http://127.0.0.1:5000/#/experiments/1/runs/r1?workflowType=machine_learning"
    started(mlflow=page)
    lines, _ = gradmix("status")
    assert lines[2] == f"  MLflow: {page}"


def test_failures_stand_on_one_line_each_however_long(gradmix, started):
    started(failed=[LONG], running=[])
    lines, _ = gradmix("status")
    assert lines[2:] == [f"  FAILED {LONG}"]


def test_what_is_gone_is_said_to_have_stopped_and_runs_nothing(gradmix, started):
    started(ended(), left=None)
    lines, _ = gradmix("status")
    assert lines[0].startswith("digits-demo-1  STOPPED (the same command continues)  ")
    assert lines[1:] == ["  5/12 trainings done, 2 of them cached; 2 min 05 s so far"]


def test_of_another_host_nothing_but_its_file_is_known(gradmix, started):
    started(ended(), host="another-host")
    lines, _ = gradmix("status")
    assert "  running  " in lines[0]
    assert lines[0].endswith("on another-host")


def test_as_json_there_is_everything(gradmix, started):
    started()
    started(ended(), name="gone", started="2026-01-03T00:00:00+00:00")
    found = json.loads("\n".join(gradmix("status", "--json")[0]))
    assert [(run["name"], run["alive"]) for run in found["reproductions"]] == [
        ("digits-demo-1", True),
        ("gone", False),
    ]
    assert STATUS.items() <= found["reproductions"][0].items()
    assert found["fleet"] is None


def test_a_fleet_is_said_with_what_it_keeps_running(gradmix, home):
    here, host = Process.find(os.getpid()), socket.gethostname()
    children = (
        Child("driver", here, pool="gradmix"),
        Child("slots", ended(), 4, "slots", {"cuda-0": "0"}),
    )
    fleet = Fleet(
        "http://127.0.0.1:4200/api", None, host, here, True, (Child("prefect", None),), children
    )
    state_file(home).parent.mkdir()
    write_fleet(home, fleet)
    assert gradmix("status")[0][1:] == [
        f"Fleet of {host}: Prefect http://127.0.0.1:4200, MLflow elsewhere",
        "  prefect: restarting",
        f"  driver: pid {os.getpid()}",
        "  slots: restarting, 4 starts, slots cuda-0",
    ]
    found = json.loads("\n".join(gradmix("status", "--json")[0]))
    assert found["fleet"]["api_url"] == "http://127.0.0.1:4200/api"


def test_watching_goes_on_until_ctrl_c(gradmix, started, monkeypatch):
    path = started()
    slept = []

    def sleep(seconds):
        slept.append(seconds)
        if len(slept) == 2:
            raise KeyboardInterrupt
        path.unlink()

    monkeypatch.setattr(status_command.time, "sleep", sleep)
    lines, err = gradmix("status", "--watch", code=130)
    assert lines[0].startswith("digits-demo-1  running")
    assert lines[-1] == "No reproduction is running over this home."
    assert slept == [2.0, 2.0]
    assert err.count("\n") == 1


def test_the_home_may_be_named_by_the_environment(home, started, monkeypatch):
    started()
    monkeypatch.setenv("GRADMIX_HOME", str(home))
    result = CliRunner().invoke(main, ["status"], catch_exceptions=False)
    assert result.stdout.startswith("digits-demo-1  running")


# Cancel.


def test_where_nothing_runs_there_is_nothing_to_cancel(gradmix, started):
    started(ended())
    assert gradmix("cancel") == (["Nothing is running."], "")


def test_an_unknown_name_costs_one_line_that_says_what_runs(gradmix, started):
    started(ended(), name="gone")
    _, err = gradmix("cancel", "gone", code=2)
    assert err.count("\n") == 1
    assert "expected a running reproduction (there is none), found 'gone'" in err
    started()
    _, err = gradmix("cancel", "digit", code=2)
    assert "(digits-demo-1), found 'digit'; correct it." in err


def test_a_process_here_is_stopped_and_no_other(gradmix, started, sleeper, dispatch):
    started(Process.find(sleeper.pid), name="mine")
    started(name="other")
    lines, _ = gradmix("cancel", "mine")
    assert lines == ["Cancelled mine; the same command continues."]
    assert sleeper.wait(10) < 0
    # No server is known.
    dispatch.unfinished.assert_not_called()


def test_one_that_does_not_stop_in_time_is_said_to(gradmix, started, dispatch, monkeypatch):
    monkeypatch.setattr(cancel_command, "STOP_S", 0.0)
    started(host="another-host")
    lines, _ = gradmix("cancel")
    assert lines == ["Asked to stop, but still running: digits-demo-1; the same command continues."]


def test_jobs_on_workers_are_cancelled_first(gradmix, started, sleeper, dispatch, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:4200/api")
    dispatch.close.side_effect = lambda *_: sleeper.poll() is None or pytest.fail("too late")
    started(Process.find(sleeper.pid), flow_run_id="run-1")
    gradmix("cancel", "digits-demo-1")
    assert [call.args[:2] for call in dispatch.close.call_args_list] == [
        ("job-1", "CANCELLED"),
        ("job-2", "CANCELLED"),
    ]
    assert sleeper.wait(10) < 0


def test_what_a_worker_has_started_is_stopped_by_it(
    gradmix, started, sleeper, dispatch, monkeypatch
):
    # A signal would look like a crash, after which an automation starts it again.
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:4200/api")
    path = started(Process.find(sleeper.pid), flow_run_id="run-1", deployed="run-0")
    dispatch.ask_to_stop.side_effect = lambda _: path.unlink()
    lines, _ = gradmix("cancel")
    dispatch.ask_to_stop.assert_called_once_with("run-0")
    assert lines == ["Cancelled digits-demo-1; the same command continues."]
    assert sleeper.poll() is None


@pytest.mark.parametrize("command", ["status", "cancel"])
def test_where_there_is_no_home_it_costs_one_line(home, command):
    result = CliRunner().invoke(main, [command, "--home", "elsewhere"])
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert result.stderr.startswith("gradmix: expected a gradmix home, found none in ")
    assert not (home.parent / "elsewhere").exists()
