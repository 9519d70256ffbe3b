"""The faults: each is made to happen, and noted with how long the rest took to go on."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter

import psutil
from bench import LIMIT_S, Bench, answers, away, is_forked, is_template

PREFECT_AWAY_S, MLFLOW_AWAY_S = 45, 120
SMALL_DISK = 2**32
LONGEST_PAUSE_S = 15.0
"""Seconds between random kills, at most; with shorter pauses no training would finish."""
PARTS = {"worker": 4, "template": 6, "job": 6, "command": 1, "prefect": 1}
"""What random kills hit, and how often: command and server take longest to start again."""
ENDINGS = {
    "expected Prefect's server": "command refused without a server",
    "lost 3 attempts": "command ended by a training killed three times",
}
"""What kills may make of a command, by a part of its last line."""
POSTGRES_RESTART = "CHAOS_POSTGRES_RESTART"
"""Names the command that restarts Postgres, where both servers are on it."""


def worker_killed(bench: Bench) -> None:
    job = bench.wait_for_job()
    worker = next(child for child in bench.fleet.workers if child.slots)
    lost = bench.in_flight()
    assert worker.process is not None
    os.kill(worker.process.pid, signal.SIGKILL)
    gone = bench.wait("its trainings to die with it", lambda: not job.is_running(), 10)
    back = bench.wait(
        "the worker again",
        lambda: (c := bench.child(worker.name).process) is not None and c.pid != worker.process.pid,
        60,
    )
    bench.disturbed |= lost
    again = bench.go_on()
    bench.note(
        "the host's worker killed (-9) in its trainings",
        f"they died with it within {gone:.1f} s; worker back after {back:.0f} s; two more "
        f"trainings after {again:.0f} s",
    )


def template_killed(bench: Bench) -> None:
    job = bench.wait_for_job()
    bench.disturbed |= bench.in_flight()
    worker = next(child for child in bench.fleet.workers if child.slots).process
    assert worker is not None
    # The driver has a template too.
    (template,) = filter(is_template, psutil.Process(worker.pid).children())
    template.kill()
    gone = bench.wait("its jobs to die with it", lambda: not job.is_running(), 10)
    again = bench.go_on()
    bench.note(
        "template process killed (-9)",
        f"its jobs died with it within {gone:.1f} s; tried again; two more after {again:.0f} s",
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
    bench.wait_for_job()
    assert bench.driver is not None
    bench.disturbed |= bench.in_flight()
    bench.driver.kill()
    bench.driver.wait()
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


def random_kills(bench: Bench) -> None:
    """Kill something at random moments until the reproduction has ended, or often enough."""
    assert bench.driver is not None
    done, moved, finished = Counter[str](), time.monotonic(), bench.finished()
    while bench.driver.poll() != 0:
        time.sleep(bench.draw.uniform(0, LONGEST_PAUSE_S))
        if bench.finished() != finished:
            moved, finished = time.monotonic(), bench.finished()
        if time.monotonic() - moved > LIMIT_S:
            raise TimeoutError(f"expected a training to finish within {LIMIT_S:g} s")
        if bench.driver.poll() is not None:
            done.update(_failures(bench))
            _start_again(bench)
            continue
        if bench.kills >= bench.most_kills:
            continue
        (part,) = bench.draw.choices(list(PARTS), list(PARTS.values()))
        victim = _process_of(bench, part)
        if victim is None:
            continue
        bench.disturbed |= bench.in_flight()
        bench.note_finished()
        with contextlib.suppress(psutil.NoSuchProcess):
            victim.kill()
            done[part] += 1
            bench.kills += 1
        bench.disturbed |= bench.in_flight()
        if part == "command":
            _start_again(bench)
    said = ", ".join(f"{part} {count}" for part, count in sorted(done.items()))
    bench.note("killed (-9) at random moments", said)


def _failures(bench: Bench) -> list[str]:
    """How a command failed, in a way that kills may bring about; nothing if it ended well.

    Raises:
        AssertionError: if it failed otherwise.
    """
    assert bench.driver is not None
    assert bench.driver_log is not None
    if bench.driver.returncode == 0:
        return []
    last = bench.driver_log.read_text(encoding="utf-8").splitlines()[-1]
    assert bench.driver.returncode == 2, last
    found = [ending for text, ending in ENDINGS.items() if text in last]
    assert found, last
    return found


def _start_again(bench: Bench) -> None:
    """The same command, unless it has ended well."""
    assert bench.driver is not None
    if bench.driver.wait() != 0:
        bench.driver = bench.reproduce("workers")


def _process_of(bench: Bench, part: str) -> psutil.Process | None:
    """A process of that part of the fleet, if there is one at this moment."""
    assert bench.driver is not None
    with contextlib.suppress(psutil.Error, StopIteration):
        if part == "command":
            return psutil.Process(bench.driver.pid)
        if part in ("job", "template"):
            jobs = [job for job in bench.jobs() if is_forked(job)]
            job = bench.draw.choice(jobs or [None])
            return job.parent() if job is not None and part == "template" else job
        wanted = (
            child
            for child in bench.fleet.children
            if (child.slots if part == "worker" else part in child.name)
        )
        process = next(wanted).process
        return None if process is None else psutil.Process(process.pid)
    return None


FAULTS = {
    "postgres": postgres_restarted,
    "disk": disk_full,
    "worker": worker_killed,
    "template": template_killed,
    "job": job_killed,
    "prefect": prefect_killed,
    "mlflow": mlflow_away,
    "driver": driver_killed,
    "clock": clock_jumps,
    "supervisor": supervisor_killed,
    "second": second_reproduction,
}
KILLS = "kills"
ALL = FAULTS | {KILLS: random_kills}
"""All faults, and the one that lasts until the reproduction ends."""
