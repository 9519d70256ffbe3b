"""A fleet and a reproduction on it, as the faults find them."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import httpx
import psutil

from tasks.execution.fleet_state import Child, Fleet, read_fleet

LIMIT_S = 600.0
TEMPLATE = "tasks.execution.template_process"
CLOCK = """
import pathlib, time

def jumping(read, unit):
    def now():
        try:
            return read() + unit * int(pathlib.Path({path!r}).read_text())
        except (OSError, ValueError):
            return read()
    return now

time.time, time.time_ns = jumping(time.time, 1), jumping(time.time_ns, 10**9)
"""
"""Has Python's wall clock follow a file; the steady clock stays as it is."""


@dataclass
class Bench:
    """A fleet, a reproduction on it, and what was seen."""

    home: Path
    experiment: str
    scale: str
    prefect_port: int
    mlflow_port: int
    driver: subprocess.Popen[bytes] | None = None
    second: subprocess.Popen[bytes] | None = None
    driver_log: Path | None = None
    disturbed: set[str] = field(default_factory=set)
    draw: Random = field(default_factory=Random)
    kills: int = 0
    most_kills: int = 0
    starts_of_finished: dict[str, int] = field(default_factory=dict)
    rows: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def clock(self) -> Path:
        """The file that says by how many seconds the driver's clock is wrong."""
        return self.home.with_name("clock")

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-P", "-m", "deploy.cli", *words, "--home", str(self.home)]

    def call(self, *words: str) -> str:
        done = subprocess.run(
            self.command(*words), check=True, stdout=subprocess.PIPE, text=True, timeout=LIMIT_S
        )
        return done.stdout

    def up(self) -> None:
        ports = ["--prefect-port", str(self.prefect_port), "--mlflow-port", str(self.mlflow_port)]
        self.call("up", "--workers", "2", *ports)

    def reproduce(self, engine: str) -> subprocess.Popen[bytes]:
        words = ["reproduce", self.experiment, "--scale", self.scale, "--engine", engine]
        log = self.home.with_name(f"{engine}-{time.monotonic():.0f}.log")
        # Python imports a module of this name at its start.
        site = self.home.with_name("site") / "sitecustomize.py"
        site.parent.mkdir(exist_ok=True)
        site.write_text(CLOCK.format(path=str(self.clock)))
        path = os.pathsep.join([str(site.parent), os.environ.get("PYTHONPATH", "")])
        variables = {**os.environ, "PYTHONPATH": path.rstrip(os.pathsep)}
        self.driver_log = log
        with log.open("wb") as output:
            return subprocess.Popen(
                self.command(*words), stdout=output, stderr=output, env=variables
            )

    @property
    def fleet(self) -> Fleet:
        found = read_fleet(self.home)
        assert found is not None, "expected a fleet that runs"
        return found

    def child(self, part: str) -> Child:
        return next(child for child in self.fleet.children if part in child.name)

    def finished(self) -> set[str]:
        """Identities of the trainings that are there."""
        folders = (self.home / "artifacts" / "train").glob("*/result.json")
        return {path.parent.name for path in folders}

    def in_flight(self) -> set[str]:
        """Identities of the trainings that were begun and are not there."""
        return set(self.executions()) - self.finished()

    def executions(self) -> Counter[str]:
        """How often each training was begun, by identity."""
        path = self.home / "executions.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        entries = [json.loads(line) for line in lines]
        return Counter(e["identity"][:32] for e in entries if e["stage"] == "train")

    def note_finished(self) -> None:
        """Record how often each finished training has been started; it must not start again."""
        finished, executions = self.finished(), self.executions()
        for identity in finished - self.starts_of_finished.keys():
            self.starts_of_finished[identity] = executions[identity]

    def jobs(self) -> list[psutil.Process]:
        """Processes of jobs in slots: forked from a template, or started as trainings."""
        found = []
        for process in mentioning(self.home):
            with contextlib.suppress(psutil.Error):
                if "train" in process.cmdline() or is_forked(process):
                    found.append(process)
        return found

    def wait(self, what: str, holds: Callable[[], bool], limit_s: float = LIMIT_S) -> float:
        """Seconds until something holds."""
        started = time.monotonic()
        while not holds():
            if time.monotonic() - started > limit_s:
                raise TimeoutError(f"expected {what} within {limit_s:g} s")
            time.sleep(0.5)
        return time.monotonic() - started

    def wait_for_job(self) -> psutil.Process:
        """A training that has run for a moment."""
        self.wait("a training on a worker", lambda: bool(self.jobs()))
        time.sleep(1.0)
        left = self.jobs()
        return left[0] if left else self.wait_for_job()

    def go_on(self, more: int = 2) -> float:
        """Seconds until so many more trainings are finished, or all of them."""
        wanted = len(self.finished()) + more

        def holds() -> bool:
            over = self.driver is not None and self.driver.poll() is not None
            return over or len(self.finished()) >= wanted

        return self.wait(f"{wanted} trainings", holds)

    def note(self, fault: str, seen: str) -> None:
        self.rows.append((fault, f"{len(self.finished())} finished", seen))
        say(f"{fault}: {seen}")


def say(text: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")


def mentioning(home: Path) -> list[psutil.Process]:
    """Processes with the home folder among their words, or working in it."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            words = " ".join(process.cmdline())
            if process.pid != os.getpid() and (str(home) in words or process.cwd() == str(home)):
                found.append(process)
    return found


def is_template(process: psutil.Process | None) -> bool:
    """Whether a process is a template, or forked from one."""
    return process is not None and TEMPLATE in process.cmdline()


def is_forked(process: psutil.Process) -> bool:
    """Whether a process is a job forked from a template."""
    return is_template(process) and is_template(process.parent())


@contextlib.contextmanager
def away(bench: Bench, name: str) -> Iterator[None]:
    """Kill a server, and have nobody start it again meanwhile."""
    supervisor, server = bench.fleet.supervisor, bench.child(name).process
    assert server is not None
    os.kill(supervisor.pid, signal.SIGSTOP)
    try:
        os.kill(server.pid, signal.SIGKILL)
        yield
    finally:
        os.kill(supervisor.pid, signal.SIGCONT)


def answers(url: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(url, timeout=2).status_code == httpx.codes.OK
    return False


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port
