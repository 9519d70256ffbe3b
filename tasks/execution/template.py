"""Jobs forked from a process that has loaded torch: a tenth of the start time, and less memory.

Only for CPU cores on Linux: jobs on CUDA devices and other systems start afresh, as all do with
GRADMIX_FORK=0.
"""

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from tasks.execution.environment import training_environment
from tasks.execution.launch import Child, fresh
from tasks.execution.parent_death import python_module, tethered
from tasks.execution.template_process import STARTED, Request

VARIABLE = "GRADMIX_FORK"
COMMAND = python_module("tasks.execution.template_process")
_ARGUMENTS = 3
"""Number of arguments of a job: its name, its folder, and the home folder."""
_START_S = 120.0
_FAILURES = 3
"""Starts that fail one after the other, after which none is tried."""

logger = logging.getLogger(__name__)


class Template:
    """A `Launch` for jobs, and a context manager that ends the template process and its jobs.

    Args:
        command: command of the template process.
    """

    def __init__(self, command: Sequence[str] = COMMAND) -> None:
        self._command = command
        self._guard = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._ended = threading.Event()
        self._failures = 0
        self._usable = sys.platform == "linux" and os.environ.get(VARIABLE) != "0"

    def __enter__(self) -> Self:
        """Return the template; nothing is started yet."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the process."""
        with self._guard:
            self._usable = False
            self._end()

    def start(self) -> None:
        """Start the process before its first job, unless it is running; returns immediately."""
        with self._guard:
            self._running()

    def __call__(
        self, command: Sequence[str], log: Path, cwd: Path, variables: Mapping[str, str]
    ) -> Child:
        """Fork a job, or start it afresh if that is not possible.

        Args:
            command: command of a job.
            log: file to append its output to.
            cwd: its working directory.
            variables: variables to add to this process's environment.
        """
        if variables.get("CUDA_VISIBLE_DEVICES"):
            return fresh(command, log, cwd, variables)
        request = Request(
            arguments=tuple(command[-_ARGUMENTS:]),
            cwd=str(cwd),
            environment={**os.environ, **variables},
        )
        return self._forked(request, log) or fresh(command, log, cwd, variables)

    def _forked(self, request: Request, log: Path) -> Child | None:
        ours, theirs = socket.socketpair()
        with theirs, log.open("ab") as output, self._guard:
            control = self._running()
            if control is None:
                ours.close()
                return None
            with suppress(OSError):
                socket.send_fds(control, [b"j"], [theirs.fileno(), output.fileno()])
        child = ForkedChild(ours)
        if child.begin(request):
            self._failures = 0
            return child
        child.kill()
        with self._guard:
            self._failures += 1
            if self._failures < _FAILURES:
                # If it was killed, by a person or for its memory, the next job has another.
                return None
            if self._usable:
                logger.warning("jobs start afresh: the process to fork them from did not start.")
            self._usable = False
        return None

    def _running(self) -> socket.socket | None:
        """Control socket of the process, started if needed; None if forking is disabled."""
        if not self._usable:
            return None
        if self._process is None or self._process.poll() is not None:
            self._end()
            self._begin()
        return self._control

    def _begin(self) -> None:
        self._control, theirs = socket.socketpair()
        self._ended = threading.Event()
        started: Future[subprocess.Popen[bytes]] = Future()
        with theirs:
            keeper = threading.Thread(
                target=_keep, args=(self._command, theirs, started, self._ended), daemon=True
            )
            keeper.start()
            self._process = started.result()

    def _end(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            # Its jobs die with it.
            self._process.kill()
            self._process.wait()
            self._ended.set()


def _keep(
    command: Sequence[str],
    control: socket.socket,
    started: "Future[subprocess.Popen[bytes]]",
    ended: threading.Event,
) -> None:
    """Start the template from this thread, and keep the thread until the template has ended.

    The kernel kills the template when this thread ends, hence when this process is killed. Its
    control socket alone would not do: it is not read while torch is imported. The thread that asks
    for the first job may end before the other jobs do.
    """
    try:
        process = subprocess.Popen(
            tethered(command),
            stdin=control.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **training_environment("")},
            start_new_session=True,
        )
    except BaseException as error:
        started.set_exception(error)
        return
    started.set_result(process)
    ended.wait()


class ForkedChild:
    """A child forked by the template.

    Args:
        connection: socket of the job.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._code: int | None = None

    def begin(self, request: Request) -> bool:
        """Request the job; returns whether it has started."""
        self._connection.settimeout(_START_S)
        try:
            self._connection.sendall(request.to_line())
            return self._connection.recv(len(STARTED)) == STARTED
        except OSError:
            return False

    def wait(self, seconds: float | None) -> int | None:
        """Wait for the exit code; that of a kill if the template was killed."""
        if self._code is None:
            self._connection.settimeout(seconds)
            try:
                answer = self._connection.recv(16)
            except TimeoutError:
                return None
            except OSError:
                answer = b""
            self._code = int(answer) if answer else -signal.SIGKILL
        return self._code

    def kill(self) -> None:
        """Kill the child and its group, and wait for the end."""
        if self._connection.fileno() < 0:
            return
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_WR)
        self.wait(None)
        self._connection.close()
