"""Stages as Prefect tasks."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prefect import Task
from prefect.cache_policies import CacheKeyFnPolicy
from prefect.futures import PrefectFuture

from tasks.codec import Json, decode, encode, leaves, replace_leaves
from tasks.engine.runtime import current
from tasks.engine.stage import Future, Stage, StageInputs
from tasks.events import Event
from tasks.storage.artifacts import Artifact
from tasks.subjects import Subject


class StageFuture:
    """The artifact of a submitted stage.

    Args:
        future: Prefect's future of the artifact as JSON.
    """

    def __init__(self, future: PrefectFuture[Json]) -> None:
        self.future = future

    def result(self) -> Artifact:
        """Wait for the artifact.

        Raises:
            Exception: the error that ended the stage.
        """
        return decode(Artifact, self.future.result())


class PrefectSubmit:
    """Submits stages to the task runner of the current flow.

    A task's cache key is the stage's identity. Prefect's cached result is only a pointer, so it is
    removed if the artifact is missing or damaged, and the stage runs again.
    """

    def __init__(self) -> None:
        self._tasks: dict[str, Task[..., Json]] = {}
        self.futures: list[PrefectFuture[Json]] = []

    def __call__(
        self, stage: Stage[Any], inputs: StageInputs, after: Sequence[Future] = ()
    ) -> StageFuture:
        """Submit a stage whose inputs may hold futures in place of artifacts."""
        if stage.name not in self._tasks:
            self._tasks[stage.name] = prefect_task(stage)
        # Encoded as JSON, in which Prefect replaces futures by their results.
        given = replace_leaves(inputs, StageFuture, lambda future: future.future)
        future = self._tasks[stage.name].submit(
            label=inputs.subject.label,
            inputs=encode(given, keep=(PrefectFuture,)),
            wait_for=[other.future for other in leaves(list(after), StageFuture)] or None,
        )
        self.futures.append(future)
        return StageFuture(future)


def prefect_task(stage: Stage[Any]) -> Task[..., Json]:
    """The Prefect task of a stage: small JSON in, small JSON out, cached by identity."""
    # If an artifact exists but Prefect has no record of it, the key function reports it as cached
    # and the task is still called.
    already_reported: set[Subject] = set()

    def key(_: object, parameters: Mapping[str, Any]) -> str:
        return _cache_key(stage, decode(stage.inputs, parameters["inputs"]), already_reported)

    def run(label: str, inputs: Json) -> Json:
        del label
        given = decode(stage.inputs, inputs)
        known = given.subject in already_reported
        return encode(stage.perform(given, already_reported=known))

    return Task(
        run,
        name=stage.name,
        task_run_name="{label}",
        cache_policy=CacheKeyFnPolicy(cache_key_fn=key),
        persist_result=True,
        result_serializer="json",
    )


def _cache_key(stage: Stage[Any], inputs: StageInputs, already_reported: set[Subject]) -> str:
    """The stage's identity; deletes Prefect's record of it unless the artifact is intact."""
    runtime = current()
    request = stage.describe(inputs)
    key = f"{stage.name}-{request.identity}"
    artifact = runtime.store.find(request)
    if artifact is None:
        Path(os.environ["PREFECT_LOCAL_STORAGE_PATH"], key).unlink(missing_ok=True)
    elif request.subject not in already_reported:
        # Prefect will use its record without calling the task.
        runtime.listen(Event(request.subject, stage.name, "cached", artifact=artifact))
        already_reported.add(request.subject)
    return key
