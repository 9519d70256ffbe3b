"""MLflow run of a stage's execution."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tasks.engine.stage import Workplace
from tasks.execution.slots import SlotsStoppedError


@contextmanager
def tracked_run(place: Workplace) -> Iterator[str]:
    """Open a child of the reproduction's run, or continue one left open by a kill.

    An error of the stage ends the run as failed; an interruption leaves it running, to be
    continued later.
    """
    runtime, request = place.runtime, place.request
    run_id = runtime.tracker.start_run(
        request.label,
        request.identity,
        request.stage,
        tags={**runtime.tags, **_prefect_tags()},
        params={**flattened(request.config), "seed": request.seed},
        parent=runtime.parent_run_id,
    )
    try:
        yield run_id
    except SlotsStoppedError:
        raise
    except Exception:
        runtime.tracker.finish(run_id, "FAILED")
        raise
    runtime.tracker.finish(run_id)


def flattened(config: Mapping[str, Any], prefix: str = "") -> dict[str, object]:
    """Nested settings as dotted names."""
    flat: dict[str, object] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            flat |= flattened(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _prefect_tags() -> dict[str, str]:
    # Imported here: Prefect reads the environment on import, and plans do not need it.
    from prefect.context import TaskRunContext  # noqa: PLC0415

    context = TaskRunContext.get()
    if context is None:
        return {}
    tags = {"prefect.task_run_id": str(context.task_run.id)}
    if context.task_run.flow_run_id:
        tags["prefect.flow_run_id"] = str(context.task_run.flow_run_id)
    return tags
