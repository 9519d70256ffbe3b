"""Faults one by one during a reproduction on a fleet, and what became of it; run it by itself.

python -P tests/deploy/chaos.py [--experiment digits] [--scale demo] [--out DIR] [--skip NAME ...]

Prints a Markdown table of the faults, and of how often each training was executed. Exits with 1 if
anything that was finished was lost or done again, a run or process was left behind, or the figures
differ from those of an undisturbed run on the local engine.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from tasks.fleet import Child, Fleet, read_fleet

LIMIT_S = 600.0
PREFECT_AWAY_S, MLFLOW_AWAY_S = 45, 120
SMALL_DISK = 2**32
POSTGRES_RESTART = "CHAOS_POSTGRES_RESTART"
"""Names the command that restarts Postgres, where both servers are on it."""
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

    def jobs(self) -> list[psutil.Process]:
        """Processes of trainings on workers."""
        return [process for process in mentioning(self.home) if "train" in process.cmdline()]

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


# The faults.


def worker_killed(bench: Bench) -> None:
    job = bench.wait_for_job()
    flow_run = psutil.Process(job.ppid())
    worker = next(
        child
        for child in bench.fleet.workers
        if child.process is not None and child.process.pid == flow_run.ppid()
    )
    lost = bench.in_flight()
    assert worker.process is not None
    os.kill(worker.process.pid, signal.SIGKILL)
    gone = bench.wait("its training to die with it", lambda: not job.is_running(), 10)
    back = bench.wait(
        "the worker again",
        lambda: (c := bench.child(worker.name).process) is not None and c.pid != worker.process.pid,
        60,
    )
    bench.disturbed |= lost
    again = bench.go_on()
    bench.note(
        "worker killed (-9) in a training",
        f"its training died with it within {gone:.1f} s; worker back after {back:.0f} s; two more "
        f"trainings after {again:.0f} s",
    )


def job_killed(bench: Bench) -> None:
    job = bench.wait_for_job()
    bench.disturbed |= bench.in_flight()
    job.kill()
    again = bench.go_on()
    bench.note("training process killed (-9)", f"tried again; two more after {again:.0f} s")


def prefect_killed(bench: Bench) -> None:
    with away(bench, "prefect"):
        time.sleep(PREFECT_AWAY_S)
    back = bench.wait("Prefect's server", lambda: answers(bench.fleet.api_url + "/health"), 120)
    again = bench.go_on()
    bench.note(
        f"Prefect's server killed (-9), away for {PREFECT_AWAY_S} s",
        f"answered {back:.0f} s later; two more after another {again:.0f} s",
    )


def mlflow_away(bench: Bench) -> None:
    before = len(bench.finished())
    spool = bench.home / "tracking-spool.jsonl"
    with away(bench, "mlflow"):
        time.sleep(MLFLOW_AWAY_S)
        waiting = len(spool.read_text(encoding="utf-8").splitlines()) if spool.exists() else 0
        during = len(bench.finished()) - before
    bench.wait("MLflow's server", lambda: answers(f"{bench.fleet.mlflow_url}/health"), 120)
    assert waiting, "expected writes in the spool"
    bench.note(
        f"MLflow killed (-9), away for {MLFLOW_AWAY_S} s",
        f"{during} trainings finished meanwhile; {waiting} writes waited in the spool",
    )


def driver_killed(bench: Bench) -> None:
    job = bench.wait_for_job()
    assert bench.driver is not None
    bench.disturbed |= bench.in_flight()
    bench.driver.kill()
    bench.driver.wait()
    del job
    time.sleep(3)
    bench.driver = bench.reproduce("workers")
    again = bench.go_on()
    bench.note("driver killed (-9), the same command again", f"two more after {again:.0f} s")


def second_reproduction(bench: Bench) -> None:
    bench.second = bench.reproduce("local")
    again = bench.go_on(4)
    bench.note(
        "the same reproduction a second time at once, on the local engine",
        f"both went on; four more after {again:.0f} s",
    )


def clock_jumps(bench: Bench) -> None:
    for jump in (86_400, -2 * 86_400, 0):
        bench.clock.write_text(f"{jump}\n")
        time.sleep(8)
    again = bench.go_on()
    bench.note(
        "wall clock of the driver jumps by +1 d, -3 d and back",
        f"nothing was taken for lost; two more after {again:.0f} s",
    )


def supervisor_killed(bench: Bench) -> None:
    bench.wait_for_job()
    bench.disturbed |= bench.in_flight()
    before = bench.fleet
    os.kill(before.supervisor.pid, signal.SIGKILL)
    gone = bench.wait(
        "everything to die with it",
        lambda: (
            not any(c.process and c.process.alive for c in before.children) and not bench.jobs()
        ),
        30,
    )
    time.sleep(5)
    bench.up()
    again = bench.go_on()
    bench.note(
        "supervisor killed (-9): the whole fleet is gone; `gradmix up` again",
        f"all children dead after {gone:.1f} s; the driver waited and went on; two more after "
        f"{again:.0f} s",
    )


def disk_full(bench: Bench) -> None:
    free = shutil.disk_usage(bench.home).free
    if free > SMALL_DISK:
        bench.note("the home folder's disk is full", "not tried: it is a large one (--out)")
        return
    bench.wait_for_job()
    assert bench.driver is not None
    bench.disturbed |= bench.in_flight()
    ballast = bench.home.with_name("ballast")
    with ballast.open("wb") as file, contextlib.suppress(OSError):
        while True:
            file.write(b"0" * 2**20)
            file.flush()
    code = bench.driver.wait(LIMIT_S)
    assert bench.driver_log is not None
    said = bench.driver_log.read_text(encoding="utf-8").splitlines()[-1]
    ballast.unlink()
    bench.disturbed |= bench.in_flight()
    bench.driver = bench.reproduce("workers")
    again = bench.go_on()
    bench.note(
        "the home folder's disk is full",
        f"exit code {code}: `{said[:160]}...`; room made, the same command again: two more after "
        f"{again:.0f} s",
    )


def postgres_restarted(bench: Bench) -> None:
    command = os.environ.get(POSTGRES_RESTART)
    if command is None:
        bench.note("Postgres restarted", f"not tried: no {POSTGRES_RESTART}")
        return
    bench.wait_for_job()
    subprocess.run(command, shell=True, check=True, stdout=sys.stderr)  # noqa: S602 - the caller's
    again = bench.go_on(3)
    bench.note(
        "Postgres behind both servers restarted (immediate)", f"three more after {again:.0f} s"
    )


FAULTS = {
    "postgres": postgres_restarted,
    "disk": disk_full,
    "worker": worker_killed,
    "job": job_killed,
    "prefect": prefect_killed,
    "mlflow": mlflow_away,
    "driver": driver_killed,
    "clock": clock_jumps,
    "supervisor": supervisor_killed,
    "second": second_reproduction,
}


def answers(url: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(url, timeout=2).status_code == httpx.codes.OK
    return False


# The end.


def record_of(home: Path) -> dict[str, Any]:
    (path,) = (home / "reproductions").glob("*/record.json")
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return record


def figures(home: Path) -> dict[str, float]:
    rows = record_of(home)["rows"]
    return {f"{row['row']} {row['k']} {row['draw']}": row["test_accuracy"] for row in rows}


def unfinished_runs(bench: Bench) -> list[str]:
    """Flow runs that the server takes for unfinished."""
    answer = httpx.post(
        f"{bench.fleet.api_url}/flow_runs/filter",
        json={"flow_runs": {"state": {"type": {"any_": ["RUNNING", "PENDING", "SCHEDULED"]}}}},
        timeout=30,
    )
    return [f"{run['name']}: {run['state']['name']}" for run in answer.json()]


def running_in_mlflow(bench: Bench) -> int:
    """MLflow runs that are still RUNNING."""
    url = f"{bench.fleet.mlflow_url}/api/2.0/mlflow"
    found = httpx.post(f"{url}/experiments/search", json={"max_results": 10}).json()
    ids = [experiment["experiment_id"] for experiment in found["experiments"]]
    query = {"experiment_ids": ids, "filter": "attributes.status = 'RUNNING'", "max_results": 100}
    return len(httpx.post(f"{url}/runs/search", json=query, timeout=60).json().get("runs", []))


def verdict(bench: Bench, expected: dict[str, float]) -> list[str]:
    """Everything that is not as it should be."""
    wrong = []
    twice = {name for name, count in bench.executions().items() if count > 1}
    if twice - bench.disturbed:
        wrong.append(f"trainings done again that no fault hit: {sorted(twice - bench.disturbed)}")
    if bench.in_flight():
        wrong.append(f"trainings begun and not there: {sorted(bench.in_flight())}")
    if figures(bench.home) != expected:
        wrong.append("the figures differ from those of an undisturbed run")
    if zombies := unfinished_runs(bench):
        wrong.append(f"flow runs left unfinished: {zombies}")
    if running := running_in_mlflow(bench):
        wrong.append(f"MLflow runs left running: {running}")
    spools = ("tracking-spool.jsonl", "tracking-spool.rejected.jsonl")
    left = [name for name in spools if (bench.home / name).exists()]
    return wrong + [f"writes are left in {name}" for name in left]


def table(bench: Bench) -> str:
    lines = ["| fault | when | what was seen |", "|---|---|---|"]
    lines += [f"| {' | '.join(row)} |" for row in bench.rows]
    counts = Counter(bench.executions().values())
    said = ", ".join(f"{counts[n]} trainings {n} time{'s' * (n > 1)}" for n in sorted(counts))
    return "\n".join([*lines, "", f"Executions: {said}."])


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def run(bench: Bench, faults: list[str], expected: dict[str, float]) -> list[str]:
    """All of it; returns what went wrong."""
    bench.up()
    try:
        bench.driver = bench.reproduce("workers")
        bench.go_on()
        for name in faults:
            FAULTS[name](bench)
        for process in (bench.driver, bench.second):
            if process is not None and process.wait(LIMIT_S) != 0:
                return [f"a reproduction ended with exit code {process.returncode}"]
        again = bench.reproduce("workers")
        before = bench.executions()
        wrong = [] if again.wait(LIMIT_S) == 0 else ["the same command again failed"]
        wrong += [] if bench.executions() == before else ["the same command again trained"]
        bench.wait("the last runs to be closed", lambda: not unfinished_runs(bench), 240)
        return wrong + verdict(bench, expected)
    finally:
        for process in (bench.driver, bench.second):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
        bench.call("down")
        left = [" ".join(process.cmdline())[:120] for process in mentioning(bench.home)]
        if left:
            say(f"LEFT BEHIND: {left}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiment", default="digits")
    parser.add_argument("--scale", default="demo")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--faults", nargs="+", default=list(FAULTS), choices=list(FAULTS))
    options = parser.parse_args()
    out = options.out or Path(tempfile.mkdtemp(prefix="chaos-"))
    out.mkdir(parents=True, exist_ok=True)
    calm = Bench(out / "calm", options.experiment, options.scale, 0, 0)
    if not (calm.home / "reproductions").exists():
        say("an undisturbed run on the local engine")
        assert calm.reproduce("local").wait(2 * LIMIT_S) == 0
    bench = Bench(out / "home", options.experiment, options.scale, free_port(), free_port())
    wrong = run(bench, options.faults, figures(calm.home))
    wrong += [f"process left: {' '.join(p.cmdline())[:120]}" for p in mentioning(bench.home)]
    sys.stdout.write(f"{table(bench)}\n")
    for line in wrong:
        sys.stdout.write(f"WRONG: {line}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
