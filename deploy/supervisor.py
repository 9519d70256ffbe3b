"""Process that owns a host's part of a fleet: `python -P -m deploy.supervisor OPTIONS`.

It starts servers, then workers, restarts those that die, and stops them all on SIGTERM. They are
tethered to it and die with it.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from deploy.health import answers
from deploy.options import Options, share_password
from deploy.services import Service, servers, workers
from tasks.execution.databases import MLFLOW, PREFECT, ensure_database
from tasks.execution.environment import configure
from tasks.execution.fleet_state import Child, Fleet, log_file, state_file, write_fleet
from tasks.execution.processes import Process, kill_group, start_tethered
from tasks.storage.database_url import sqlite_url
from tasks.storage.locks import try_lock, unlock

POLL_S = 0.5
LONGEST_WAIT_S = 30.0
CALM_S = 60.0
"""Seconds after which a start counts as successful."""
STOP_S = 10.0


class ManagedProcess:
    """A service that is kept running; the delay doubles after every failed start.

    Args:
        service: what to run.
        home: the home folder, its working directory.
    """

    def __init__(self, service: Service, home: Path) -> None:
        self.service = service
        self._log, self._home = log_file(home, service.name), home
        self._process: subprocess.Popen[bytes] | None = None
        self._found: Process | None = None
        self._starts = self._failures = 0
        self._began = self._next = 0.0

    @property
    def child(self) -> Child:
        """The service as the state file lists it."""
        service = self.service
        slots = {slot.name: slot.device for slot in service.slots}
        return Child(service.name, self._found, self._starts, service.pool, slots)

    def poll(self) -> bool:
        """Start the process if due, or note its end; returns whether anything changed."""
        now = time.monotonic()
        if self._process is None:
            if now < self._next:
                return False
            self._start(now)
            return True
        if self._process.poll() is None:
            return False
        self._failures = 0 if now - self._began > CALM_S else self._failures
        self._next = now + min(2.0**self._failures, LONGEST_WAIT_S)
        self._failures += 1
        self._forget()
        return True

    def _start(self, now: float) -> None:
        service = self.service
        self._process = start_tethered(
            service.command, self._log, self._home, {**service.variables}
        )
        self._found = Process.find(self._process.pid)
        self._starts, self._began = self._starts + 1, now

    def terminate(self) -> None:
        """Send SIGTERM to the process, which ends the rest of its group."""
        if self._process is not None:
            self._process.terminate()

    def stop(self, deadline: float) -> None:
        """Wait for the process until `deadline` (monotonic seconds), then kill its group."""
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(max(deadline - time.monotonic(), 0))
            self._forget()

    def _forget(self) -> None:
        if self._process is not None:
            kill_group(self._process)
        self._process = self._found = None


class Supervisor:
    """This host's part of a fleet.

    Args:
        options: options of `gradmix up`.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        # Not a threading.Event: this thread may hold its lock when the signal arrives.
        self._stopping = False
        self._unwritten = False
        self._servers = [ManagedProcess(service, options.home) for service in servers(options)]
        self._workers: list[ManagedProcess] = []

    def run(self) -> None:
        """Run the services until SIGTERM."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        try:
            while not self._stopping:
                self._poll()
                time.sleep(POLL_S)
        finally:
            # Workers first: they report to the server how their runs ended.
            _stop_all(self._workers)
            _stop_all(self._servers)
            state_file(self._options.home).unlink(missing_ok=True)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._stopping = True

    def _poll(self) -> None:
        # Started by this one thread, as children die with the thread that started them.
        changed = [process.poll() for process in (*self._servers, *self._workers)]
        ready = bool(self._workers)
        if not ready and all(answers(process.service.health) for process in self._servers):
            self._workers = [
                ManagedProcess(service, self._options.home) for service in workers(self._options)
            ]
            changed += [process.poll() for process in self._workers]
        self._unwritten |= any(changed)
        if self._unwritten:
            # A full disk must not stop the fleet; the state is written when there is space again.
            with contextlib.suppress(OSError):
                self._write()
                self._unwritten = False

    def _write(self) -> None:
        options = self._options
        fleet = Fleet(
            api_url=options.api_url,
            mlflow_url=options.mlflow_url,
            host=socket.gethostname(),
            supervisor=Process.find(os.getpid()),
            ready=bool(self._workers),
            servers=tuple(process.child for process in self._servers),
            workers=tuple(process.child for process in self._workers),
        )
        write_fleet(options.home, fleet)


def _stop_all(processes: Sequence[ManagedProcess]) -> None:
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + STOP_S
    for process in processes:
        process.stop(deadline)


def main(text: str) -> int:
    """Supervise until SIGTERM; returns the exit code."""
    options = Options.from_text(text)
    configure(options.home)
    share_password()
    if options.join is not None:
        Supervisor(options).run()
        return 0
    lock = Path(os.environ["PREFECT_HOME"]) / ".lock"
    held = try_lock(lock)
    if held is None:
        sys.stderr.write(
            f"expected the database in {lock.parent} to be free, found another supervisor "
            "over it; gradmix status shows its fleet.\n"
        )
        return 1
    try:
        _ensure_databases(options.home)
        # Commands that start their own server leave the database alone while this is held.
        Supervisor(options).run()
    finally:
        unlock(lock, held)
    return 0


def _ensure_databases(home: Path) -> None:
    """Create the home folder's databases, unless the operator names others."""
    if not os.environ.get("PREFECT_SERVER_DATABASE_CONNECTION_URL"):
        path = Path(os.environ["PREFECT_HOME"]) / "prefect.db"
        os.environ["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = sqlite_url(path, "aiosqlite")
        ensure_database(PREFECT, path)
    if not os.environ.get("MLFLOW_BACKEND_STORE_URI"):
        ensure_database(MLFLOW, home / "mlflow.db")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
