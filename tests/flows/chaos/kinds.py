"""What is killed: each kind takes a trial and a source of moments, and ends with its conclusion."""

import random
import shutil
import time
from collections.abc import Callable

import psutil
from trial import Found, Trial, finished, reach

Digests = dict[str, str]
FIRST_S = 3.0
"""CPU-seconds of a command's first moments: imports, databases, the server's start."""


class Moments:
    """Moments of a command, from a seed: half of them in its first seconds.

    Args:
        seed: of all draws.
        whole_s: CPU-seconds of an undisturbed command.
    """

    def __init__(self, seed: int, whole_s: float) -> None:
        self.draw, self._whole_s = random.Random(seed), whole_s

    def next(self) -> float:
        most = FIRST_S if self.draw.random() < 1 / 2 else self._whole_s
        return self.draw.uniform(0.0, most)


def command(trial: Trial, moments: Moments, kills: int, expected: Digests) -> Found:
    """The command is killed again and again, each time at another moment of the same command."""
    for _ in range(kills):
        if not trial.kill_at(process := trial.start(), moments.next()):
            trial.end(process)
        trial.expect_nobody()
    return trial.conclude(expected)


def at_once(trial: Trial, moments: Moments, kills: int, expected: Digests) -> Found:
    """Two or three commands at once; one is killed, and the others go on to the end."""
    others = [trial.start() for _ in range(moments.draw.choice((1, 2)))]
    for _ in range(kills):
        trial.kill_at(trial.start(), moments.next())
    for process in others:
        trial.end(process)
    trial.expect_nobody()
    return trial.conclude(expected)


def meanwhile(trial: Trial, moments: Moments, kills: int, expected: Digests) -> Found:
    """A second command is started in the moment in which the first one is killed."""
    for _ in range(kills):
        first = trial.start()
        reached = reach(first, moments.next())
        second = trial.start()
        time.sleep(moments.draw.uniform(0.0, 0.5))
        if reached and trial.kill_at(first, 0.0):
            trial.end(second)
        else:
            trial.end(first)
            trial.end(second)
        trial.expect_nobody()
    return trial.conclude(expected)


def copied(trial: Trial, moments: Moments, kills: int, expected: Digests) -> Found:
    """A copy of the home folder, made file by file while a run is under way, is the home."""
    process, copy = trial.start(), trial.folder / "copy"
    for _ in range(kills):
        if reach(process, moments.next()):
            shutil.rmtree(copy, ignore_errors=True)
            copy_live(trial, copy)
    trial.kill_at(process, 0.0)
    trial.expect_nobody()
    trial.found.kills = kills
    trial._finished.clear()
    trial.note_finished(copy)
    return trial.conclude(expected, copy)


def copy_live(trial: Trial, copy: "shutil.StrPath") -> None:
    """What `rsync` and `cp -r` do: files that vanish meanwhile are left out."""
    try:
        shutil.copytree(trial.home, copy)
    except (shutil.Error, FileNotFoundError) as error:
        trial.found.notes.append(f"copied without what vanished: {str(error)[:80]}")


def child(is_it: Callable[[psutil.Process, psutil.Process], bool]) -> Callable[..., Found]:
    """A process that the command has started is killed; the command copes or says what to do."""

    def kind(trial: Trial, moments: Moments, kills: int, expected: Digests) -> Found:
        for _ in range(kills):
            process = trial.start()
            reach(process, moments.next())
            if kill_child(trial, process, is_it):
                trial.found.kills += 1
                trial.note_finished()
            trial.end(process)
            trial.expect_nobody()
        return trial.conclude(expected)

    return kind


def kill_child(
    trial: Trial,
    process: psutil.Popen,
    is_it: Callable[[psutil.Process, psutil.Process], bool],
) -> bool:
    """Kill the first process of a kind once there is one; False if the command ends before."""
    while process.poll() is None:
        for found in trial.processes():
            try:
                if is_it(found, process):
                    found.kill()
                    return True
            except psutil.Error:
                continue
        time.sleep(0.05)
    return False


def is_template(found: psutil.Process, command: psutil.Process) -> bool:
    words = found.cmdline()
    return "tasks.execution.template_process" in words and found.ppid() == command.pid


def is_job(found: psutil.Process, command: psutil.Process) -> bool:
    words = found.cmdline()
    return "tasks.execution.template_process" in words and found.ppid() != command.pid


def is_server(found: psutil.Process, _: psutil.Process) -> bool:
    return "uvicorn" in " ".join(found.cmdline())


KINDS: dict[str, tuple[Callable[..., Found], int, float]] = {
    # Name: the kind, kills in one trial, share of all kills.
    "command": (command, 8, 0.76),
    "template": (child(is_template), 2, 0.04),
    "job": (child(is_job), 2, 0.04),
    "server": (child(is_server), 2, 0.04),
    "at once": (at_once, 2, 0.04),
    "meanwhile": (meanwhile, 2, 0.04),
    "copied": (copied, 1, 0.04),
}

__all__ = ["KINDS", "Moments", "finished"]
