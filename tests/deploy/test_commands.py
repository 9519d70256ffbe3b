"""`gradmix up`, `down` and `deploy`: what they refuse, and that they can be said twice."""

import os
import signal
import socket
import subprocess
import sys
import time
from unittest.mock import Mock

import pytest
from click.testing import CliRunner

from deploy import commands
from deploy.cli import main
from tasks.execution.fleet_state import (
    FOLDER,
    Child,
    Fleet,
    FleetError,
    read_fleet,
    state_file,
    write_fleet,
)
from tasks.execution.processes import Process
from tasks.storage.home import open_home

URL = "PREFECT_API_URL"


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    """No settings of other tests, and none left behind."""
    hidden = ("PREFECT_", "MLFLOW_", "GRADMIX_")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(hidden)}
    monkeypatch.setattr(os, "environ", environment)


def said(*words):
    """Exit code and output of a command."""
    result = CliRunner().invoke(main, words)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def test_the_commands_of_the_fleet_join_the_others():
    assert {"up", "down", "deploy", "reproduce", "plan", "report", "lineage"} <= set(main.commands)


def test_down_where_nothing_runs_says_so(tmp_path):
    line = f"No fleet runs over {tmp_path / 'runs'} on this host.\n"
    for _ in range(2):
        assert said("down", "--home", str(tmp_path / "runs")) == (0, line)
    assert not (tmp_path / "runs").exists()


def test_the_home_folder_may_be_named_by_the_environment(tmp_path, monkeypatch):
    monkeypatch.setitem(os.environ, "GRADMIX_HOME", str(tmp_path / "named"))

    assert said("down") == (0, f"No fleet runs over {tmp_path / 'named'} on this host.\n")


def test_another_peoples_folder_is_not_taken_over(tmp_path):
    (tmp_path / "thesis.tex").touch()

    code, output = said("up", "--home", str(tmp_path))

    assert code == 2
    assert output.startswith("gradmix: expected an empty folder or a gradmix home, found ")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_an_open_address_without_a_password_starts_nothing(tmp_path):
    code, output = said("up", "--home", str(tmp_path / "runs"), "--host", "0.0.0.0")  # noqa: S104

    assert code == 2
    assert "PREFECT_SERVER_API_AUTH_STRING" in output
    assert output.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_a_taken_port_starts_nothing(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        code, output = said("up", "--home", str(tmp_path), "--prefect-port", port)

    assert code == 2
    assert output.splitlines() == [
        f"gradmix: expected port {port} of 127.0.0.1 to be free, found it taken; choose another "
        "with --prefect-port."
    ]
    assert read_fleet(tmp_path) is None


def test_a_password_on_the_command_line_is_taken_off_it_with_a_warning(tmp_path, monkeypatch):
    started = []
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "before")
    monkeypatch.setattr(commands, "refuse", started.append)
    monkeypatch.setattr(commands, "_start", Mock(side_effect=FleetError("as far as that")))

    code, output = said("up", "--home", str(tmp_path), "--join", "http://me:geheim@127.0.0.1:9")

    assert code == 2
    warning, end = output.splitlines()
    assert warning.startswith("gradmix: --join: everybody on this host can read")
    assert end == "gradmix: as far as that"
    assert [options.join for options in started] == ["http://127.0.0.1:9"]
    assert "geheim" not in started[0].to_text() + output
    assert os.environ["PREFECT_API_AUTH_STRING"] == "me:geheim"


def test_deploy_needs_a_server(tmp_path):
    code, output = said("deploy", "--home", str(tmp_path))

    assert code == 2
    assert output.startswith("gradmix: expected a running fleet or PREFECT_API_URL, found neither")


def test_deploy_says_that_no_server_answers(tmp_path, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, URL: f"http://127.0.0.1:{port}/api"}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "deploy.cli", "deploy", "--home", str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"gradmix: expected Prefect's server at http://127.0.0.1:{port}/api to ")


@pytest.fixture
def sleeper():
    """Maker of processes with groups of their own, all ended afterwards."""
    made = []

    def make():
        command = [sys.executable, "-c", "import time; time.sleep(300)"]
        made.append(subprocess.Popen(command, start_new_session=True))
        return made[-1]

    yield make
    for process in made:
        process.kill()
        process.wait()


def test_down_kills_what_a_dead_supervisor_left_and_nobody_else(tmp_path, sleeper):
    home = open_home(tmp_path / "runs")
    (home / FOLDER).mkdir()
    left, stranger, supervisor = sleeper(), sleeper(), sleeper()
    children = (
        Child("prefect", Process.find(left.pid)),
        # Another process has its id now.
        Child("mlflow", Process(stranger.pid, 1.0)),
        Child("h-cpu:0", None),
    )
    gone = Process.find(supervisor.pid)
    supervisor.kill()
    supervisor.wait()
    fleet = Fleet("http://h/api", None, socket.gethostname(), gone, True, children, ())
    write_fleet(home, fleet)

    code, output = said("down", "--home", str(home))

    assert (code, output) == (0, f"Stopped the fleet over {home}; killed what was left: prefect.\n")
    assert left.wait(10) == -signal.SIGKILL
    assert stranger.poll() is None
    assert not state_file(home).exists()


def free_ports(number):
    sockets = [socket.socket() for _ in range(number)]
    for free in sockets:
        free.bind(("127.0.0.1", 0))
    ports = [str(free.getsockname()[1]) for free in sockets]
    for free in sockets:
        free.close()
    return ports


@pytest.mark.slow
@pytest.mark.flow
def test_up_deploy_and_down_twice_each_with_real_servers_leave_nothing(tmp_path, processes_over):
    home = tmp_path / "runs"
    ports = free_ports(2)

    def command(*words):
        return [sys.executable, "-P", "-m", "deploy.cli", *words, "--home", str(home)]

    def run(*words):
        done = subprocess.run(
            command(*words), capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    options = ("--workers", "1", "--prefect-port", ports[0], "--mlflow-port", ports[1])
    try:
        # At once: one starts the fleet, the other finds it.
        two = [
            subprocess.Popen(command("up", *options), stdout=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        outputs = [process.communicate(timeout=300)[0] for process in two]
        assert [process.returncode for process in two] == [0, 0]
        assert sum("already" in output for output in outputs) == 1
        for output in outputs:
            assert f"Prefect: http://127.0.0.1:{ports[0]}\n" in output
            assert f"MLflow:  http://127.0.0.1:{ports[1]}\n" in output
            assert "Slots: 1 (CPU cores) for trainings, 1 worker for reproductions" in output
        fleet = read_fleet(home)
        assert [child.starts for child in fleet.children] == [1] * 4
        assert "already" in run("up")
        assert "deployment  job/gradmix" in run("deploy")
        assert read_fleet(home) == fleet

        assert "Stopped the fleet" in run("down")
        assert "No fleet runs" in run("down")
        deadline = time.monotonic() + 10
        while processes_over(home) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert processes_over(home) == []
        assert not state_file(home).exists()
    finally:
        run("down")
