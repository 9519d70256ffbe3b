"""The state of a fleet: who runs, told from who ran."""

import os
import socket
import subprocess
import sys

import psutil
import pytest

from tasks.execution.environment import configure
from tasks.execution.fleet_state import (
    FOLDER,
    Child,
    Fleet,
    FleetError,
    read_fleet,
    read_state,
    state_file,
    write_fleet,
)
from tasks.execution.processes import Process, started


@pytest.fixture
def home(tmp_path):
    (tmp_path / FOLDER).mkdir()
    return tmp_path


def fleet_of(supervisor, **words):
    child = Child("prefect", Process(7, 1.5))
    worker = Child("h-cuda:0", None, 3, "gradmix-slots", "GPU-aa")
    return Fleet(
        **{
            "api_url": "http://127.0.0.1:4200/api",
            "mlflow_url": "http://127.0.0.1:5000",
            "host": socket.gethostname(),
            "supervisor": supervisor,
            "ready": True,
            "servers": (child,),
            "workers": (worker,),
            **words,
        }
    )


def test_a_fleet_is_read_as_it_was_written(home):
    fleet = fleet_of(Process.find(os.getpid()))

    write_fleet(home, fleet)

    assert read_fleet(home) == fleet
    assert [child.name for child in fleet.children] == ["prefect", "h-cuda:0"]


def test_there_is_no_fleet_where_none_was_started(tmp_path):
    assert read_fleet(tmp_path) is None


def test_a_fleet_ends_with_its_supervisor(home):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        write_fleet(home, fleet_of(Process.find(process.pid)))
        assert read_fleet(home) is not None
        process.kill()
        # Not yet waited for: a process that has ended is no process.
        while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
            pass
        assert read_fleet(home) is None
        process.communicate()

    assert read_fleet(home) is None
    assert read_state(state_file(home)) is not None


def test_a_later_process_of_the_same_id_is_not_taken_for_it(home):
    own = Process.find(os.getpid())
    assert own.alive

    write_fleet(home, fleet_of(Process(own.pid, own.started - 1)))

    assert read_fleet(home) is None


def test_a_start_is_told_from_the_boot_not_from_the_clock():
    # A clock that is set must not make a running supervisor look dead.
    age = psutil.boot_time() + started(os.getpid()) - psutil.Process().create_time()
    assert sys.platform != "linux" or abs(age) < 2
    assert started(os.getpid()) == started(os.getpid())
    assert started(2**22 + 1) is None


def test_another_host_has_a_state_of_its_own(home):
    write_fleet(home, fleet_of(Process.find(os.getpid()), host="elsewhere"))

    assert read_fleet(home) is None
    assert read_state(state_file(home, "elsewhere")).host == "elsewhere"


@pytest.mark.parametrize("text", ["", "{}", '{"api_url": "x", "servers": 1}'])
def test_a_state_of_another_version_is_one_line(home, text):
    state_file(home).write_text(text)

    with pytest.raises(FleetError, match=r"expected the state of a fleet in .*remove the file"):
        read_fleet(home)


def test_commands_use_the_servers_of_a_fleet_that_runs(home, monkeypatch):
    names = ("PREFECT_API_URL", "MLFLOW_TRACKING_URI")
    bare = {key: value for key, value in os.environ.items() if key not in names}

    def configured(**variables):
        monkeypatch.setattr(os, "environ", {**bare, **variables})
        configure(home)
        return [os.environ.get(name) for name in names]

    alone = [None, f"sqlite:///{home}/mlflow.db"]
    assert configured() == alone
    write_fleet(home, fleet_of(Process.find(os.getpid())))
    assert configured() == ["http://127.0.0.1:4200/api", "http://127.0.0.1:5000"]
    assert configured(PREFECT_API_URL="http://mine/api")[0] == "http://mine/api"
    write_fleet(home, fleet_of(Process.find(os.getpid()), mlflow_url=None))
    assert configured() == ["http://127.0.0.1:4200/api", alone[1]]
    write_fleet(home, fleet_of(Process(os.getpid(), 0.0)))
    assert configured() == alone
