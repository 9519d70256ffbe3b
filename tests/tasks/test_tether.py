"""A tethered process dies with its parent."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tasks.tether import tethered

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has the call")

PARENT = """
import subprocess, sys, time
from pathlib import Path
from tasks.tether import tethered
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
        while "tasks.tether" in psutil.Process(child).cmdline():
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


def test_a_missing_program_is_one_line() -> None:
    done = subprocess.run(
        tethered(["/no/such/program"]), capture_output=True, text=True, check=False
    )

    assert done.returncode == 127
    assert done.stderr.splitlines() == [
        "expected a command to run, found '/no/such/program': No such file or directory."
    ]
