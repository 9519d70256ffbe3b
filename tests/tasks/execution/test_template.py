"""Jobs forked from a template process."""

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tasks.execution.attempts import job_command
from tasks.execution.environment import training_environment
from tasks.execution.launch import Launch, fresh
from tasks.execution.processes import ChildFailedError
from tasks.execution.slots import Slot, run_in_slot
from tasks.execution.template import VARIABLE, Template
from tasks.jobs.files import write_job

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere every job starts afresh")

CPU = Slot("cpu:0")
# A template whose jobs run the code that is their first argument: torch would cost seconds.
STAND_IN = """
import os, socket, sys
from tasks.execution import template_process

def main(arguments):
    names = {"code": 0}
    exec(arguments[0], names)
    return names["code"]

template_process.main = main
template_process.Template(socket.socket(fileno=os.dup(0))).run()
"""
FAMILY = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print("pids", os.getpid(), child.pid, flush=True)
"""
DRIVER = """
import sys
from pathlib import Path
from tasks.execution.slots import Slot, run_in_slot
from tasks.execution.template import Template
here = Path(sys.argv[1])
with Template([sys.executable, "-P", "-c", sys.argv[2]]) as template:
    log = here / "log.txt"
    run_in_slot([sys.argv[3], "", ""], Slot("cpu:0"), log=log, cwd=here, poll=lambda: None,
                launch=template)
"""


@pytest.fixture
def template() -> Iterator[Template]:
    with Template([sys.executable, "-P", "-c", STAND_IN]) as found:
        yield found


@pytest.fixture
def run(tmp_path: Path, template: Template) -> Callable[..., str]:
    """Run code as a forked job; returns its log."""

    def call(code: str, **options: Any) -> str:
        log = tmp_path / "log.txt"
        options = {"poll": lambda: None, "poll_s": 0.05, "launch": template, **options}
        run_in_slot([code, "", ""], CPU, log=log, cwd=tmp_path, **options)
        return log.read_text()

    return call


def pids_in(log: Path) -> list[int]:
    lines = log.read_text().splitlines() if log.exists() else []
    return [int(pid) for line in lines if line.startswith("pids") for pid in line.split()[1:]]


def gone(*pids: int, within_s: float = 10.0) -> bool:
    """Whether all end in time; one that nobody has reaped counts as ended."""
    deadline = time.monotonic() + within_s
    while any(runs(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def raise_when(ready: Callable[[], object], error: BaseException) -> Callable[[], None]:
    def poll() -> None:
        if ready():
            raise error

    return poll


def test_a_job_has_its_own_log_folder_environment_and_process_group(
    run, tmp_path: Path, template: Template, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REMOVED", "while the template starts")
    template.start()
    monkeypatch.delenv("REMOVED")
    monkeypatch.setenv("ADDED", "later")
    code = (
        "import json, os, sys\n"
        "print(json.dumps([os.getcwd(), os.getpgid(0) == os.getpid() == os.getsid(0),"
        " sys.stdin.read(), dict(os.environ)]))\n"
        "print('to the same log', file=sys.stderr)"
    )
    (tmp_path / "log.txt").write_text("of an earlier attempt\n")

    lines = run(code).splitlines()

    assert sorted(line for line in lines if not line.startswith("[")) == [
        "of an earlier attempt",
        "to the same log",
    ]
    cwd, leads, stdin, environment = json.loads(next(line for line in lines if line[0] == "["))
    assert (cwd, leads, stdin) == (str(tmp_path), True, "")
    assert "REMOVED" not in environment
    assert environment["ADDED"] == "later"
    assert environment["OMP_NUM_THREADS"] == "1"
    assert environment["CUDA_VISIBLE_DEVICES"] == ""


def test_a_job_holds_nothing_of_the_template_or_of_other_jobs(run) -> None:
    count = "import os; print('open', len(os.listdir('/proc/self/fd')))"
    alone = run(count)

    # From inside another job's poll, so that both are there at once.
    told: list[str] = []
    run("import time; time.sleep(.5)", poll=lambda: told or told.append(run(count)))

    first, second = (line for line in (alone + told[0]).splitlines()[-2:])
    assert first == second


@pytest.mark.parametrize(
    ("code", "exit_code", "last_line"),
    [
        ("import sys; print('expected 5, found 4.', file=sys.stderr); code = 2", 2, "expected 5,"),
        ("{}['missing']", 1, "KeyError: 'missing'"),
        ("import os; os.kill(os.getpid(), 9)", -9, ""),
    ],
)
def test_a_failure_is_told_as_that_of_a_fresh_process(
    run, code: str, exit_code: int, last_line: str
) -> None:
    with pytest.raises(ChildFailedError) as raised:
        run(code)

    assert raised.value.exit_code == exit_code
    assert raised.value.last_line.startswith(last_line)


def test_an_exception_ends_the_jobs_group_and_no_other(run, tmp_path: Path) -> None:
    log = tmp_path / "log.txt"

    def kill_another() -> None:
        if not pids_in(log):
            with pytest.raises(ValueError, match="stop"):
                run(FAMILY + "time.sleep(60)", poll=raise_when(lambda: pids_in(log), error))

    error = ValueError("stop")
    run("import time; time.sleep(1)", poll=kill_another)

    assert len(pids_in(log)) == 2
    assert gone(*pids_in(log))


def test_what_a_finished_job_leaves_running_is_ended(run, tmp_path: Path) -> None:
    run(FAMILY)

    assert len(pids_in(tmp_path / "log.txt")) == 2
    assert gone(*pids_in(tmp_path / "log.txt"))


def test_kill_9_of_the_template_ends_its_jobs_and_the_next_one_has_another(
    run, tmp_path: Path
) -> None:
    log = tmp_path / "log.txt"
    code = "import os, time; print('pids', os.getppid(), os.getpid(), flush=True); time.sleep(60)"

    def kill() -> None:
        if pids := pids_in(log):
            os.kill(pids[0], 9)

    with pytest.raises(ChildFailedError, match="SIGKILL"):
        run(code, poll=kill)

    assert gone(*pids_in(log))
    assert run("print('alive')").endswith("alive\n")


def test_kill_9_of_the_driver_ends_template_and_jobs(tmp_path: Path) -> None:
    code = "import os, time; print('pids', os.getppid(), os.getpid(), flush=True); time.sleep(60)"
    words = [sys.executable, "-P", "-c", DRIVER, str(tmp_path), STAND_IN, code]
    with subprocess.Popen(words) as driver:
        deadline = time.monotonic() + 30
        while not pids_in(tmp_path / "log.txt"):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        driver.kill()

    template, job = pids_in(tmp_path / "log.txt")
    assert gone(template, job)


def test_kill_9_of_the_driver_ends_a_template_that_is_still_loading(tmp_path: Path) -> None:
    """As while torch is imported: the template does not read its socket."""
    log = tmp_path / "log.txt"
    deaf = (
        f"import os, time; print('pids', os.getpid(), file=open({str(log)!r}, 'w'), flush=True); "
        "time.sleep(300)"
    )
    driver_code = (
        "import sys, time; from tasks.execution.template import Template\n"
        "Template([sys.executable, '-P', '-c', sys.argv[1]]).start(); time.sleep(300)"
    )
    with subprocess.Popen([sys.executable, "-P", "-c", driver_code, deaf]) as driver:
        deadline = time.monotonic() + 60
        while not pids_in(log):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        driver.kill()

    assert gone(*pids_in(log))


def test_the_end_of_the_context_ends_the_jobs(tmp_path: Path) -> None:
    with Template([sys.executable, "-P", "-c", STAND_IN]) as template:
        log = tmp_path / "log.txt"
        code = "import os, time; print('pids', os.getpid(), flush=True); time.sleep(60)"
        child = template([code, "", ""], log, tmp_path, {})
        while not pids_in(log):
            assert child.wait(0.02) is None

    assert child.wait(10) == -9
    child.kill()
    assert gone(*pids_in(log))


@pytest.mark.parametrize(
    ("variable", "device"), [("0", ""), ("1", "GPU-aa")], ids=["switched off", "on a CUDA device"]
)
def test_a_fresh_process_where_forking_is_off_or_a_device_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, device: str
) -> None:
    monkeypatch.setenv(VARIABLE, variable)
    log = tmp_path / "log.txt"
    code = "import os; print(os.getppid())"
    with Template(["no such command"]) as template:
        template(
            [sys.executable, "-c", code], log, tmp_path, {"CUDA_VISIBLE_DEVICES": device}
        ).wait(30)

    assert log.read_text() == f"{os.getpid()}\n"


def test_without_a_template_that_starts_jobs_run_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = tmp_path / "log.txt"
    job = [sys.executable, "-c", "print('ran')"]
    with caplog.at_level(logging.WARNING), Template([sys.executable, "-c", ""]) as template:
        for number in range(4):
            run_in_slot(job, CPU, log=log, cwd=tmp_path, poll=lambda: None, launch=template)
            # One that was killed is no reason to give up forking.
            assert bool(caplog.records) == (number >= 2)

    assert log.read_text() == 4 * "ran\n"
    assert [record.message for record in caplog.records] == [
        "jobs start afresh: the process to fork them from did not start."
    ]


# The real one.


LOADED = """
import os, sys, torch
from tasks.execution import template_process
template_process.load()
loaded, threads = set(sys.modules), len(os.listdir("/proc/self/task"))
print(threads, torch.cuda.is_initialized(), flush=True)
process = os.fork()
if process:
    os._exit(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))
template_process.main(sys.argv[1:])
print(*(set(sys.modules) - loaded), flush=True)
os._exit(0)
"""


def test_the_loaded_template_has_one_thread_no_cuda_and_everything_a_training_imports(
    toy, tmp_path: Path
) -> None:
    # More threads would not be there after a fork, and locks that they hold would stay locked.
    folder = tmp_path / "training"
    (folder / "output").mkdir(parents=True)
    write_job(folder, toy.train_job(), tmp_path)
    done = subprocess.run(
        [sys.executable, "-P", "-c", LOADED, "train", str(folder), str(tmp_path)],
        env={**os.environ, **training_environment("")},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "1 False\n\n"
    assert (folder / "output" / "model.pt").exists()


def test_a_forked_training_leaves_the_bytes_of_a_fresh_one(toy, tmp_path: Path) -> None:
    def trained(name: str, launch: Launch) -> dict[str, bytes]:
        folder = tmp_path / name
        (folder / "output").mkdir(parents=True)
        write_job(folder, toy.train_job(), tmp_path)
        command = job_command("train", folder, tmp_path)
        run_in_slot(
            command,
            CPU,
            log=folder / "log.txt",
            cwd=tmp_path,
            poll=lambda: None,
            launch=launch,
        )
        files = [*(folder / "output").iterdir(), folder / "checkpoint.pt", folder / "log.txt"]
        return {path.name: path.read_bytes() for path in files}

    with Template() as template:
        forked = [trained(name, template) for name in ("forked", "again")]

    alone = trained("fresh", fresh)
    assert set(alone) == {"model.pt", "curve.json", "checkpoint.pt", "log.txt"}
    assert forked == [alone, alone]
