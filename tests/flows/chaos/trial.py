"""A folder with a home in it, commands over that home, and what a kill has left of them.

Moments are CPU-seconds of the command, so that they are the same points of it on a busy machine.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

LIMIT_S = 1800.0
GONE_S = 5.0
"""Seconds in which everything has to go after its command was killed."""
MARK = "GRADMIX_CHAOS"
HIDDEN = ("PREFECT_", "MLFLOW_", "GRADMIX_")
EXPERIMENT = Path(__file__).with_name("least.toml")


@dataclass
class Found:
    """What is wrong, by what was asked for."""

    kills: int = 0
    orphans: list[str] = field(default_factory=list)
    again: list[str] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)
    """Of the commands that were not killed themselves, in order."""
    last: int | None = None
    """Exit code of the last run."""
    gone_s: float = 0.0
    """The longest that a process has outlived its command."""
    notes: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> bool:
        return bool(self.orphans or self.again or self.differing or self.files or self.last != 0)


class Trial:
    """A folder of its own: home, cache, temporary files, logs.

    Args:
        folder: is made.
        cache: of another trial, to start with; without it databases are made first.
    """

    def __init__(self, folder: Path, cache: Path | None = None) -> None:
        self.folder, self.home = folder, folder / "home"
        self.mark, self.found = uuid.uuid4().hex, Found()
        self._finished: dict[str, tuple[float, str]] = {}
        (folder / "tmp").mkdir(parents=True)
        if cache is not None:
            shutil.copytree(cache, folder / "cache")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(HIDDEN)}
        self.environment = {
            **kept,
            MARK: self.mark,
            "TMPDIR": str(folder / "tmp"),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "OMP_NUM_THREADS": "1",
        }

    def start(self, *words: str, home: Path | None = None) -> psutil.Popen:
        """Start `gradmix reproduce` as a user does, or the command that is given."""
        command = [str(Path(sys.executable).with_name("gradmix"))]
        command += words or ["reproduce", str(EXPERIMENT)]
        with (self.folder / "log.txt").open("ab") as log:
            return psutil.Popen(
                [*command, "--home", str(home or self.home)],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # As a terminal of its own; systems share the processor out by session.
                start_new_session=True,
            )

    def end(self, process: psutil.Popen) -> int:
        """Wait for a command's own end; returns its exit code."""
        code = int(process.wait(LIMIT_S))
        self.found.codes.append(code)
        if code:
            lines = (self.folder / "log.txt").read_text(errors="replace").splitlines()
            self.found.notes.append(f"exit code {code}: {lines[-1] if lines else ''}")
        return code

    def kill_at(self, process: psutil.Popen, moment_s: float) -> bool:
        """kill -9 after so many CPU-seconds; False if it has ended before."""
        if not reach(process, moment_s):
            return False
        process.kill()
        process.wait()
        self.found.kills += 1
        self.note_finished()
        return True

    def note_finished(self, home: Path | None = None) -> None:
        """Everything that is finished now is not to be executed from now on."""
        now = time.time()
        for identity, label in finished(home or self.home).items():
            self._finished.setdefault(identity, (now, label[0]))

    def expect_nobody(self, alive: Callable[[], bool] = lambda: False) -> None:
        """Check that every process of the trial goes within `GONE_S`, unless others run."""
        began = time.monotonic()
        while (left := self.processes()) and not alive():
            if time.monotonic() - began > GONE_S:
                self.found.orphans += [" ".join(p.info["cmdline"])[-160:] for p in left]
                for process in left:
                    with contextlib.suppress(psutil.Error):
                        process.kill()
                return
            time.sleep(0.05)
        self.found.gone_s = max(self.found.gone_s, time.monotonic() - began)

    def processes(self) -> list[psutil.Process]:
        """Those that a command of this trial has started, whoever adopted them."""
        return list(marked(self.mark))

    def conclude(self, expected: dict[str, str], home: Path | None = None) -> Found:
        """Run the same command to its end, and look at all that is there."""
        home = home or self.home
        self.found.last = self.end(self.start(home=home))
        self.expect_nobody()
        for entry in executions(home):
            before = self._finished.get(entry["identity"])
            if before is not None and entry["time"] > before[0]:
                self.found.again.append(before[1])
        digests = {identity: digest for identity, (_, digest) in finished(home).items()}
        self.found.differing += sorted(
            key[:12]
            for key in digests.keys() | expected.keys()
            if digests.get(key) != expected.get(key)
        )
        self.found.files += sorted(leftovers(self.folder, home))
        return self.found


def reach(process: psutil.Popen, moment_s: float) -> bool:
    """Wait until a process has used so many CPU-seconds; False if it ends before."""
    deadline = time.monotonic() + LIMIT_S
    while process.poll() is None:
        assert time.monotonic() < deadline, process.args
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            if times.user + times.system >= moment_s:
                return True
        time.sleep(0.01)
    return False


def marked(mark: str) -> Iterator[psutil.Process]:
    """Processes with a trial's mark in their environment that have not ended."""
    for process in psutil.process_iter(["cmdline"]):
        with contextlib.suppress(psutil.Error, OSError):
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            if process.environ().get(MARK) == mark:
                yield process


def finished(home: Path) -> dict[str, tuple[str, str]]:
    """Label and digest of every artifact, by identity."""
    results = [json.loads(path.read_text()) for path in home.glob("artifacts/*/*/result.json")]
    return {result["identity"]: (result["label"], result["digest"]) for result in results}


def executions(home: Path) -> list[dict[str, str]]:
    """What was begun, in order."""
    path = home / "executions.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line) for line in lines]


def leftovers(folder: Path, home: Path) -> Iterator[str]:
    """Files that somebody meant to remove."""
    patterns = ("work/*/*", "status/*", "locks/*", "tracking-spool*")
    found = [path for pattern in patterns for path in home.glob(pattern)]
    for place in (home, folder / "cache"):
        found += [path for path in place.rglob(".*") if path.name != ".trash"]
    found += list((folder / "tmp").iterdir())
    yield from (str(path.relative_to(folder)) for path in found)
