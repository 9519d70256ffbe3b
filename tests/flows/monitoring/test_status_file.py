"""Status files: who works over a home folder, and what is said of those that are gone."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import asdict
from unittest.mock import create_autospec

import pytest

from flows.monitoring import status_file as status_module
from flows.monitoring.counts import Work
from flows.monitoring.status_file import StatusFile, close_dead, read_statuses
from tasks.events import Event
from tasks.execution.prefect_runs import PrefectDispatch
from tasks.execution.processes import Process
from tasks.subjects import Subject

A, B = (Subject.of("A", 2, 0), Subject.of("B", 2, 0))
ABOUT = {
    "name": "digits-demo-1",
    "engine": "local",
    "flow_run_id": "run-1",
    "started": "2026-01-02T03:04:05+00:00",
}
SLEEPER = "print('ready', flush=True)\nimport time\ntime.sleep(60)"


@pytest.fixture
def file(tmp_path):
    return StatusFile(tmp_path, Work(2, {A, B}, 2), ABOUT)


@pytest.fixture
def dispatch():
    """Prefect's server, with two runs that `run-1` has asked for."""
    dispatch = create_autospec(PrefectDispatch, instance=True)
    dispatch.unfinished.side_effect = lambda run: {"run-1": ["job-1", "job-2"]}.get(run, [])
    return dispatch


@pytest.fixture
def sleeper():
    """Another process, that is there and waits."""
    with subprocess.Popen(
        [sys.executable, "-c", SLEEPER],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def running(subject, step=0):
    return Event(subject, "train", "running", step=step, steps=100, slot="cpu:0")


def content(home):
    (path,) = (home / "status").iterdir()
    return json.loads(path.read_text())


def left_by(home, process, host="", **about):
    """The status file of another process."""
    (home / "status").mkdir(exist_ok=True)
    name = f"{host or socket.gethostname()}-{process.pid}-{len(list((home / 'status').iterdir()))}"
    about = {**ABOUT, **about, "host": host or socket.gethostname(), "process": asdict(process)}
    path = home / "status" / f"{name}.json"
    path.write_text(json.dumps(about))
    return path


def ended():
    """A process that is gone."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    found = Process.find(process.pid)
    process.communicate()
    return found


# The file of this process.


def test_the_file_says_who_works_on_what_and_goes_in_the_end(file, tmp_path):
    with file.kept() as kept:
        assert kept is file
        found = content(tmp_path)
        assert {key: found[key] for key in ABOUT} == ABOUT
        assert found["host"] == socket.gethostname()
        assert Process(**found["process"]) == Process.find(os.getpid())
        assert (found["trainings"], found["finished"], found["running"]) == (2, 0, [])
    assert list((tmp_path / "status").iterdir()) == []


def test_what_is_known_later_is_added_at_once(file, tmp_path):
    with file.kept():
        file.add({"mlflow": "http://x/#/runs"})
        assert content(tmp_path)["mlflow"] == "http://x/#/runs"
        assert content(tmp_path)["name"] == ABOUT["name"]


def test_the_file_goes_after_an_error_as_well(file, tmp_path):
    with pytest.raises(ZeroDivisionError), file.kept():
        raise ZeroDivisionError
    assert read_statuses(tmp_path) == []


def test_starts_and_ends_are_written_at_once_and_steps_every_second(file, tmp_path, clock):
    with file.kept():
        file.listen(running(A))
        assert content(tmp_path)["running"][0]["step"] == 0
        clock.now += 0.5
        file.listen(running(A, step=10))
        assert content(tmp_path)["running"][0]["step"] == 0
        clock.now += 0.6
        file.listen(running(A, step=20))
        assert content(tmp_path)["running"][0]["step"] == 20
        file.listen(Event(A, "train", "finished"))
        assert (content(tmp_path)["finished"], content(tmp_path)["running"]) == (1, [])


def test_two_reproductions_of_one_process_have_two_files(tmp_path, file):
    other = StatusFile(tmp_path, Work(0, (), 1), {**ABOUT, "name": "actions-demo-2"})
    with file.kept(), other.kept():
        names = {status.name for status in read_statuses(tmp_path)}
    assert names == {"digits-demo-1", "actions-demo-2"}


# The files of others.


def test_where_nothing_was_started_there_is_no_status(tmp_path):
    assert read_statuses(tmp_path) == []
    close_dead(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_half_a_file_is_no_status_and_the_oldest_is_first(tmp_path):
    here = Process.find(os.getpid())
    left_by(tmp_path, here, name="younger", started="2026-01-02T09:00:00+00:00")
    left_by(tmp_path, here, name="older", started="2026-01-02T08:00:00+00:00")
    (tmp_path / "status" / "half.json").write_text('{"name": ')
    (tmp_path / "status" / ".whole.json.1.tmp").write_text("{")
    assert [status.name for status in read_statuses(tmp_path)] == ["older", "younger"]


def test_a_process_is_dead_only_where_somebody_can_tell(tmp_path):
    gone = ended()
    left_by(tmp_path, gone, name="gone")
    left_by(tmp_path, gone, host="another-host", name="elsewhere")
    left_by(tmp_path, Process.find(os.getpid()), name="alive")
    left_by(tmp_path, Process(os.getpid(), 1.0), name="its number was given again")
    dead = {status.name: (status.is_dead, status.is_here) for status in read_statuses(tmp_path)}
    assert dead == {
        "gone": (True, True),
        "elsewhere": (False, False),
        "alive": (False, True),
        "its number was given again": (True, True),
    }


def test_a_process_that_is_asked_to_stop_is_waited_for(tmp_path, sleeper):
    left_by(tmp_path, Process.find(sleeper.pid))
    (status,) = read_statuses(tmp_path)
    assert status.stop(10.0)
    assert sleeper.wait(10) == -signal.SIGTERM


def test_one_that_has_not_stopped_in_time_is_told(tmp_path, monkeypatch, sleeper):
    left_by(tmp_path, Process.find(sleeper.pid))
    (status,) = read_statuses(tmp_path)
    with monkeypatch.context() as deaf:
        deaf.setattr(status_module.os, "kill", lambda *_: None)
        assert not status.stop(0.05)


def test_nobody_else_is_asked_to_stop(tmp_path, sleeper):
    started = Process.find(sleeper.pid).started
    left_by(tmp_path, Process(sleeper.pid, started + 5))  # an earlier process of that number
    left_by(tmp_path, ended())
    assert [status.stop(0.0) for status in read_statuses(tmp_path)] == [True, True]
    left_by(tmp_path, Process(sleeper.pid, started), host="another-host")
    assert sorted(status.stop(0.0) for status in read_statuses(tmp_path)) == [False, True, True]
    with pytest.raises(subprocess.TimeoutExpired):
        sleeper.wait(0.1)


def test_one_of_another_host_has_ended_when_its_file_is_gone(tmp_path):
    path = left_by(tmp_path, ended(), host="another-host")
    (status,) = read_statuses(tmp_path)
    assert not status.has_ended(0.0)
    remover = threading.Timer(0.05, path.unlink)
    remover.start()
    assert status.has_ended(10.0)


def test_what_the_dead_left_running_is_ended_on_the_server_and_forgotten(tmp_path, dispatch):
    left_by(tmp_path, ended())
    left_by(tmp_path, ended(), flow_run_id=None, name="without a server")
    living = left_by(tmp_path, Process.find(os.getpid()), flow_run_id="run-2")
    elsewhere = left_by(tmp_path, ended(), host="another-host", flow_run_id="run-3")
    close_dead(tmp_path, dispatch)
    # The jobs first: nobody asks for them any more, and a crash in between leaves the file.
    assert [call.args[:2] for call in dispatch.close.call_args_list] == [
        ("job-1", "CANCELLED"),
        ("job-2", "CANCELLED"),
        ("run-1", "CRASHED"),
    ]
    assert {status.path for status in read_statuses(tmp_path)} == {living, elsewhere}


def test_a_flow_run_that_was_started_again_does_not_end_itself(tmp_path, dispatch):
    # An automation has scheduled the crashed run again: its earlier life has left the file.
    left_by(tmp_path, ended())
    close_dead(tmp_path, dispatch, own="run-1")
    assert [call.args[:2] for call in dispatch.close.call_args_list] == [
        ("job-1", "CANCELLED"),
        ("job-2", "CANCELLED"),
    ]
    assert read_statuses(tmp_path) == []
