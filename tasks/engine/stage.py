"""A stage: what it depends on, and how it is executed."""

import contextlib
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tasks.engine.runtime import Runtime, current
from tasks.errors import StageError
from tasks.events import Event
from tasks.execution.progress import Follower, OnRows
from tasks.execution.slots import SlotsStoppedError
from tasks.storage.artifacts import Artifact, Request


@dataclass(frozen=True)
class Outcome:
    """What an execution reports besides the files in its output folder.

    Attributes:
        summary: figures that are part of the result, in plain JSON types.
        notes: figures that may differ between equal results: run ids, times.
        contents: digests that stand for files whose bytes hold notes as well.
    """

    summary: Mapping[str, Any]
    notes: Mapping[str, Any] = field(default_factory=dict)
    contents: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Workplace:
    """Where one execution works."""

    runtime: Runtime
    request: Request
    folder: Path
    """Survives a kill: checkpoints and logs."""
    output: Path
    """Becomes the artifact."""

    def final_path(self, name: str) -> Path:
        """Where a file of the output will lie once it is the artifact."""
        return self.runtime.home / self.destination / name

    def follower(self, *, steps: int = 0, on_rows: OnRows = lambda _: None) -> Follower:
        """A follower of the job that runs here.

        Args:
            steps: that the job counts.
            on_rows: gets new figures.
        """
        return Follower(
            folder=self.folder,
            label=self.request.label,
            stage=self.request.stage,
            listen=self.runtime.listen,
            check_stopped=self.runtime.raise_if_stopped,
            steps=steps,
            on_rows=on_rows,
        )

    @property
    def destination(self) -> str:
        """Where the output will lie, relative to the home folder."""
        return str(self.runtime.store.folder(self.request).relative_to(self.runtime.home))


@dataclass(frozen=True)
class Stage:
    """One box of the pipeline.

    Attributes:
        name: also the folder of its artifacts.
        describe: the request that inputs amount to: pure, cheap, without files.
        execute: does the work and leaves files in the workplace's output folder.

    Both take the same keyword inputs: settings in plain JSON types and upstream artifacts.
    """

    name: str
    describe: Callable[..., Request]
    execute: Callable[..., Outcome]

    def perform(self, inputs: Mapping[str, Any], *, told: bool = False) -> Artifact:
        """The artifact of these inputs: the intact one if it exists, else a new one.

        Args:
            inputs: settings and upstream artifacts.
            told: whether it has been told already that the artifact exists.
        """
        runtime = current()
        arguments = decode(inputs)
        request = self.describe(**arguments)
        with runtime.alone(request.identity):
            artifact = runtime.store.find(request)
            if artifact is not None:
                # A kill between commit and clean-up leaves its checkpoint behind.
                runtime.store.discard_work(request)
                if not told:
                    runtime.listen(Event(request.label, self.name, "cached", artifact=artifact))
                return artifact
            return self._execute(runtime, request, arguments)

    def _execute(
        self, runtime: Runtime, request: Request, arguments: Mapping[str, Any]
    ) -> Artifact:
        folder = runtime.store.work(request)
        output = folder / "output"
        shutil.rmtree(output, ignore_errors=True)
        output.mkdir()
        runtime.listen(Event(request.label, self.name, "running"))
        runtime.record_execution(request)
        started = time.monotonic()
        try:
            outcome = self.execute(Workplace(runtime, request, folder, output), **arguments)
            artifact = runtime.store.commit(
                request,
                output,
                outcome.summary,
                {**outcome.notes, "scope": runtime.scope},
                outcome.contents,
            )
        except SlotsStoppedError:
            # Interrupted, not failed: it goes on when the run is started again.
            raise
        except BaseException as error:
            shutil.rmtree(output, ignore_errors=True)
            with contextlib.suppress(OSError):
                folder.rmdir()  # unless it holds a checkpoint or a log
            failure = _explained(error, runtime, request)
            runtime.listen(Event(request.label, self.name, "failed", message=str(failure)))
            if failure is error:
                raise
            raise failure from error
        runtime.store.discard_work(request)
        seconds = time.monotonic() - started
        runtime.listen(
            Event(request.label, self.name, "finished", artifact=artifact, seconds=seconds)
        )
        return artifact


def _explained(error: BaseException, runtime: Runtime, request: Request) -> BaseException:
    """An error of the disk with what is left of it; any other error as it is."""
    # Subclasses are about a file or a connection; numpy names no errno for a full disk.
    if type(error) is not OSError:
        return error
    free = shutil.disk_usage(runtime.home).free // 2**20
    return StageError(
        f"{request.label}: expected to write under {runtime.home}, found: {error}, with {free} MiB "
        "free; make room or choose another folder with --home."
    )


def decode(value: Any) -> Any:  # noqa: ANN401 - JSON
    """JSON with artifacts back to artifacts."""
    if isinstance(value, Mapping):
        if {"identity", "digest", "folder"} <= value.keys():
            return Artifact(**value)
        return {key: decode(item) for key, item in value.items()}
    if isinstance(value, list):
        return [decode(item) for item in value]
    return value
