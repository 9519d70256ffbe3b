"""Stages: what they depend on and how they are executed."""

import contextlib
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol

from typing_extensions import TypeVar

from tasks.codec import encode
from tasks.engine.runtime import Runtime, current
from tasks.errors import StageError
from tasks.events import Event
from tasks.execution.progress import Follower, OnRows
from tasks.execution.slots import SlotsStoppedError
from tasks.outcome import Outcome
from tasks.storage.artifacts import SUBJECT, Artifact, Request
from tasks.storage.remote import FULL_DISK
from tasks.subjects import Subject

A = TypeVar("A", default=Artifact)
"""Type of the artifacts in a stage's inputs; futures while the pipeline is being submitted."""


class Future(Protocol):
    """The artifact of a submitted stage."""

    def result(self) -> Artifact:
        """Wait for the artifact."""
        ...


@dataclass(frozen=True, kw_only=True)
class StageInputs:
    """The inputs of a stage; each stage has its own subclass.

    Attributes:
        subject: subject of the execution; not part of the identity.
    """

    subject: Subject


I = TypeVar("I", bound=StageInputs)  # noqa: E741 - the inputs of a stage


@dataclass(frozen=True)
class Workplace:
    """Request and folders of one execution."""

    runtime: Runtime
    request: Request
    folder: Path
    """Work folder for checkpoints and logs, which survives a kill."""
    output: Path
    """Output folder, which becomes the artifact."""

    def final_path(self, name: str) -> Path:
        """Path of an output file once the artifact is committed."""
        return self.runtime.home / self.destination / name

    def follower(self, *, steps: int = 0, on_rows: OnRows = lambda _: None) -> Follower:
        """Create a follower for the job running here.

        Args:
            steps: number of steps the job counts.
            on_rows: called with new figures.
        """
        return Follower(
            folder=self.folder,
            subject=self.request.subject,
            stage=self.request.stage,
            listen=self.runtime.listen,
            check_stopped=self.runtime.raise_if_stopped,
            steps=steps,
            on_rows=on_rows,
        )

    @property
    def destination(self) -> str:
        """Folder of the artifact, relative to the home folder."""
        return str(self.runtime.store.folder(self.request).relative_to(self.runtime.home))


@dataclass(frozen=True)
class Stage(Generic[I]):
    """One step of the pipeline.

    Attributes:
        name: also the folder of its artifacts.
        inputs: class of its inputs.
        describe: maps inputs to a request; pure and cheap, reads no files.
        execute: does the work and writes files to the workplace's output folder.
    """

    name: str
    inputs: type[I]
    describe: Callable[[I], Request]
    execute: Callable[[Workplace, I], Outcome]

    def perform(self, inputs: I, *, already_reported: bool = False) -> Artifact:
        """Return the artifact of these inputs, making it unless an intact one exists.

        Args:
            inputs: settings and upstream artifacts.
            already_reported: whether listeners already know that the artifact exists.
        """
        runtime, request = current(), self.describe(inputs)
        with runtime.alone(request.identity):
            artifact = runtime.store.find(request)
            if artifact is None:
                return self._execute(runtime, request, inputs)
            # A kill between commit and clean-up leaves a checkpoint behind.
            runtime.store.discard_work(request)
            if not already_reported:
                runtime.listen(Event(request.subject, self.name, "cached", artifact=artifact))
            return artifact

    def _execute(self, runtime: Runtime, request: Request, inputs: I) -> Artifact:
        folder = runtime.store.work(request)
        output = folder / "output"
        shutil.rmtree(output, ignore_errors=True)
        output.mkdir()
        runtime.listen(Event(request.subject, self.name, "running"))
        runtime.record_execution(request)
        started = time.monotonic()
        try:
            outcome = self.execute(Workplace(runtime, request, folder, output), inputs)
            about: dict[str, Any] = {"scope": runtime.scope, SUBJECT: encode(request.subject)}
            artifact = runtime.store.commit(
                request, output, outcome.summary, {**outcome.notes, **about}, outcome.contents
            )
        except SlotsStoppedError:
            # Interrupted, not failed: the next run continues it.
            raise
        except BaseException as error:
            shutil.rmtree(output, ignore_errors=True)
            with contextlib.suppress(OSError):
                folder.rmdir()  # unless it holds a checkpoint or a log
            failure = _explained(error, runtime, request)
            message = str(failure)
            runtime.listen(Event(request.subject, self.name, "failed", message=message))
            if failure is error:
                raise
            raise failure from error
        runtime.store.discard_work(request)
        seconds = time.monotonic() - started
        runtime.listen(
            Event(request.subject, self.name, "finished", artifact=artifact, seconds=seconds)
        )
        return artifact


def _explained(error: BaseException, runtime: Runtime, request: Request) -> BaseException:
    """A disk error with the free space added; any other error unchanged."""
    # Subclasses concern a file or a connection. NumPy gives no errno for a full disk.
    if type(error) is not OSError:
        return error
    if error.errno not in {None, *FULL_DISK}:
        return StageError(
            f"{request.label}: expected the disk of {runtime.home} to work, found: {error}; check "
            "it and its mount. Finished work is kept, and the same command resumes."
        )
    free = shutil.disk_usage(runtime.home).free // 2**20
    return StageError(
        f"{request.label}: expected to write under {runtime.home}, found: {error}, with {free} MiB "
        "free; make room or choose another folder with --home."
    )
