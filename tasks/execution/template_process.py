"""Process from which jobs are forked: `python -P -m tasks.execution.template_process`.

It loads torch and the jobs' code once, so that jobs start at once and share that memory. It has a
single thread and never touches CUDA, which does not survive a fork.

Standard input is a socket. With every byte on it come two descriptors: a job's socket, and the log
for its output. On the job's socket follows a line of JSON, a `Request`; the answers are `STARTED`
and, once the job has ended, its exit code. Closing the other end of a job's socket kills that job.
Closing the other end of standard input, as a kill of the parent does, kills them all, as does a
kill of this process.
"""

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import traceback
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial

from gradmix.declarations.methods import METHODS
from tasks.execution.parent_death import die_with_parent
from tasks.jobs.__main__ import main

STARTED = b"started\n"
_TORCH_JOBS = (
    "train",
    "pseudo_label",
    "enlarge",
    "evaluate",
    "features",
    "rho_study",
    "selection_study",
)
_IMPORTED_ON_USE = ("pandas", "pyarrow.compute", "torch.utils.serialization.config")
"""Imported by Arrow with its first array and by torch with its first file; shared like the rest."""
_CRASHED = 1


@dataclass(frozen=True, kw_only=True)
class Request:
    """A job to fork.

    Attributes:
        arguments: arguments of `tasks.jobs`.
        cwd: its working directory.
        environment: its complete environment.
    """

    arguments: tuple[str, ...]
    cwd: str
    environment: Mapping[str, str]

    def to_line(self) -> bytes:
        """Encode for sending."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> "Request":
        """Decode a sent request."""
        return cls(**json.loads(line))


class Template:
    """Forks jobs on request until the control socket closes.

    Args:
        control: socket that delivers the jobs' sockets.
    """

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._events = selectors.DefaultSelector()
        self._running: dict[int, socket.socket] = {}
        self._events.register(control, selectors.EVENT_READ, self._take)

    def run(self) -> None:
        """Serve requests; kill running jobs before returning."""
        try:
            while self._control.fileno() >= 0:
                for key, _ in self._events.select():
                    key.data()
        finally:
            for process in list(self._running):
                _kill(process)

    def _take(self) -> None:
        """Receive a job's socket and fork the job; stop at the end of the connection."""
        message, descriptors, _, _ = socket.recv_fds(self._control, 1, 2)
        if not message:
            self._events.unregister(self._control)
            self._control.close()
            return
        job, log = socket.socket(fileno=descriptors[0]), descriptors[1]
        with job.makefile("rb") as lines:
            line = lines.readline()
        if line:
            self._fork(Request.from_line(line), job, log)
        else:
            # The requester is already gone.
            job.close()
        os.close(log)

    def _fork(self, request: Request, job: socket.socket, log: int) -> None:
        template = os.getpid()
        process = os.fork()
        if process:
            self._watch(process, job)
            return
        code = _CRASHED
        try:
            die_with_parent(template)
            os.setsid()
            self._let_go()
            job.close()
            code = _do(request, log)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _let_go(self) -> None:
        """Close the descriptors of the template and its other jobs."""
        for key in list(self._events.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
            else:
                os.close(key.fd)
        self._events.close()

    def _watch(self, process: int, job: socket.socket) -> None:
        self._running[process] = job
        ended = os.pidfd_open(process)
        self._events.register(ended, selectors.EVENT_READ, partial(self._reap, process, ended))
        self._events.register(job, selectors.EVENT_READ, partial(self._drop, process))
        with contextlib.suppress(OSError):
            job.sendall(STARTED)

    def _drop(self, process: int) -> None:
        """Kill a job whose requester is gone; `_reap` follows."""
        if job := self._running.get(process):
            self._events.unregister(job)
            _kill(process)

    def _reap(self, process: int, ended: int) -> None:
        # Kill its group before its id is reused.
        _kill(process)
        _, status = os.waitpid(process, 0)
        job = self._running.pop(process)
        for watched in (ended, job):
            with contextlib.suppress(KeyError):
                self._events.unregister(watched)
        os.close(ended)
        with contextlib.suppress(OSError):
            job.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
        job.close()


def load() -> None:
    """Import the jobs' common modules and all methods, and keep them in memory that forks share."""
    for name in (*(f"tasks.jobs.{job}" for job in _TORCH_JOBS), *_IMPORTED_ON_USE):
        importlib.import_module(name)
    methods = importlib.import_module("gradmix.methods")
    for declared in METHODS.values():
        methods.method_class(declared)
    gc.collect()
    # A collection in a child would write to every object, and thus copy every page.
    gc.freeze()


def _do(request: Request, log: int) -> int:
    os.environ.clear()
    os.environ.update(request.environment)
    os.chdir(request.cwd)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for descriptor, standard in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(descriptor, standard)
    os.close(nothing)
    os.close(log)
    return main(list(request.arguments))


def _kill(process: int) -> None:
    """Kill a process that is not reaped yet, and its group, which may not exist yet."""
    for kill in (os.kill, os.killpg):
        with contextlib.suppress(ProcessLookupError):
            kill(process, signal.SIGKILL)


if __name__ == "__main__":
    load()
    Template(socket.socket(fileno=os.dup(0))).run()
