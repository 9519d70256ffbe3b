"""A tethered process dies with its parent."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tasks.execution import parent_death as tether
from tasks.execution.parent_death import tethered

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has the call")

PARENT = """
import subprocess, sys, time
from pathlib import Path
from tasks.execution.parent_death import tethered
child = subprocess.Popen(tethered([sys.executable, "-c", "import time; time.sleep(60)"]))
Path(sys.argv[1]).write_text(str(child.pid))
time.sleep(60)
"""


def gone(pid: int, within_s: float = 10.0) -> bool:
    """Whether a process ends in time; one that nobody has reaped counts as ended."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


def written(path: Path, within_s: float = 10.0) -> str:
    """Content of a file that another process is about to write."""
    deadline = time.monotonic() + within_s
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < deadline, f"{path} was not written"
        time.sleep(0.02)
    return path.read_text()


@linux
def test_kill_9_of_the_parent_ends_the_child(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-P", "-c", PARENT, str(tmp_path / "pid")]) as parent:
        child = int(written(tmp_path / "pid"))
        # Long enough for the child to have become the command.
        while "tasks.execution.parent_death" in psutil.Process(child).cmdline():
            time.sleep(0.02)
        assert psutil.pid_exists(child)
        parent.kill()

    assert gone(child)


def test_a_child_that_was_adopted_does_not_start() -> None:
    command = tethered([sys.executable, "-c", "print('ran')"])
    command[command.index(str(os.getpid()))] = "1"

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (1, "")


def test_the_command_runs_and_its_exit_code_is_handed_on() -> None:
    command = tethered([sys.executable, "-c", "print('ran'); raise SystemExit(7)"])

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (7, "ran\n")


WORKER = """
import subprocess, sys, time
from pathlib import Path
command = [sys.executable, "-P", "-m", "tasks.execution.parent_death", "worker", sys.executable,
           "-c", "import os, pathlib, sys, time;"
           "pathlib.Path(sys.argv[1]).write_text(str(os.getpid())); time.sleep(60)", sys.argv[1]]
subprocess.Popen(command)
time.sleep(60)
"""


@linux
def test_a_flow_run_dies_with_the_worker_that_started_it(tmp_path: Path) -> None:
    # A worker is told by its command line, which names Prefect.
    command = [sys.executable, "-P", "-c", WORKER, str(tmp_path / "pid"), "prefect"]
    with subprocess.Popen(command) as worker:
        child = int(written(tmp_path / "pid"))
        assert psutil.pid_exists(child)
        worker.kill()

    assert gone(child)


@linux
def test_a_flow_run_whose_worker_is_gone_does_not_start() -> None:
    # Its adopter is any process, but no Prefect.
    command = [
        sys.executable,
        "-P",
        "-m",
        "tasks.execution.parent_death",
        "worker",
        sys.executable,
        "-c",
        "print(1)",
    ]
    shell = f"{' '.join(command[:-1])} 'print(1)'; echo $?"

    done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=False)

    assert done.stdout == "1\n"


ITSELF = """
import os, pathlib, sys, time
from tasks.execution.parent_death import die_with_parent
die_with_parent()
pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))
time.sleep(60)
"""
PARENT_OF_ITSELF = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-P", "-c", sys.argv[2], sys.argv[1]])
time.sleep(60)
"""


@linux
def test_a_process_can_tie_itself_to_its_parent(tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-c", PARENT_OF_ITSELF, str(tmp_path / "pid"), ITSELF]
    with subprocess.Popen(command) as parent:
        child = int(written(tmp_path / "pid"))
        assert psutil.pid_exists(child)
        parent.kill()

    assert gone(child)


def test_a_process_whose_parent_ends_at_that_moment_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    parents = iter([7, 1])
    monkeypatch.setattr(tether, "_ask_kernel", lambda: None)
    monkeypatch.setattr(tether.os, "getppid", lambda: next(parents))

    with pytest.raises(SystemExit, match="the parent process has ended"):
        tether.die_with_parent()


def test_a_missing_program_is_one_line() -> None:
    done = subprocess.run(
        tethered(["/no/such/program"]), capture_output=True, text=True, check=False
    )

    assert done.returncode == 127
    assert done.stderr.splitlines() == [
        "expected a command to run, found '/no/such/program': No such file or directory."
    ]
