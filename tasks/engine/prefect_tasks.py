"""Stages as Prefect tasks."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prefect import Task
from prefect.cache_policies import CacheKeyFnPolicy
from prefect.futures import PrefectFuture

from tasks.engine.runtime import current
from tasks.engine.stage import Stage, decode
from tasks.events import Event


class PrefectSubmit:
    """Submits stages to the task runner of the flow that is under way.

    A task's cache key is the stage's identity. Prefect's record of a result is only a pointer, so
    where the artifact is missing or damaged the record is removed and the stage runs again.
    """

    def __init__(self) -> None:
        self._tasks: dict[str, Task[..., dict[str, Any]]] = {}
        self.futures: list[PrefectFuture[dict[str, Any]]] = []

    def __call__(
        self,
        stage: Stage,
        /,
        after: Sequence[PrefectFuture[dict[str, Any]]] = (),
        **inputs: Any,  # noqa: ANN401 - JSON, artifacts and futures of artifacts
    ) -> PrefectFuture[dict[str, Any]]:
        """Submit; inputs may hold the futures of other stages."""
        if stage.name not in self._tasks:
            self._tasks[stage.name] = prefect_task(stage)
        future = self._tasks[stage.name].submit(
            label=inputs["label"], inputs=inputs, wait_for=list(after) or None
        )
        self.futures.append(future)
        return future


def prefect_task(stage: Stage) -> Task[..., dict[str, Any]]:
    """The Prefect task of a stage: small JSON in, small JSON out, cached by identity."""
    # An artifact may be there and Prefect's record of it not yet: then the key tells of it, and the
    # task is called nevertheless.
    told: set[str] = set()

    def key(_: object, parameters: Mapping[str, Any]) -> str:
        return _cache_key(stage, parameters["inputs"], told)

    def run(label: str, inputs: dict[str, Any]) -> dict[str, Any]:
        return stage.perform(inputs, told=label in told).to_json()

    return Task(
        run,
        name=stage.name,
        task_run_name="{label}",
        cache_policy=CacheKeyFnPolicy(cache_key_fn=key),
        persist_result=True,
        result_serializer="json",
    )


def _cache_key(stage: Stage, inputs: Mapping[str, Any], told: set[str]) -> str:
    """The identity; forgets Prefect's record of it unless the artifact is intact."""
    runtime = current()
    request = stage.describe(**decode(inputs))
    key = f"{stage.name}-{request.identity}"
    artifact = runtime.store.find(request)
    if artifact is None:
        Path(os.environ["PREFECT_LOCAL_STORAGE_PATH"], key).unlink(missing_ok=True)
    elif request.label not in told:
        # Prefect answers from its record without calling the task.
        runtime.listen(Event(request.label, stage.name, "cached", artifact=artifact))
        told.add(request.label)
    return key
