"""The flow: an experiment from raw data to its record."""

import os
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

from prefect import flow
from prefect.context import FlowRunContext
from prefect.futures import PrefectFuture, wait
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from data.digest_cache import KnownDigests
from flows.experiment.run_spec import Invocation, Order, place_order
from flows.monitoring.counts import Work
from flows.monitoring.event_log import Ledger
from flows.monitoring.peak_memory import PeakMemory
from flows.monitoring.status_file import StatusFile, close_dead
from flows.pipeline.graph import pipeline
from flows.pipeline.plan import make_plan
from flows.records.champion import track_results
from flows.records.prefect_pages import announce_results, announce_run
from flows.records.provenance import git_commit
from flows.records.record import FILE, make_record, record_folder, save_record
from tasks.engine.mlflow_run import flattened
from tasks.engine.prefect_tasks import PrefectSubmit
from tasks.engine.runtime import LOCKS, Runtime, use
from tasks.errors import StageError
from tasks.events import Event
from tasks.execution.fleet_runner import FleetRunner
from tasks.execution.prefect_runs import DRIVER, PrefectDispatch
from tasks.execution.slot_runner import SlotRunner
from tasks.execution.slots import SlotPool
from tasks.storage.artifacts import Store
from tasks.storage.home import home_named, open_home
from tasks.storage.locks import locked
from tasks.storage.remote import open_storage
from tasks.tracking.tracker import EXPERIMENT, open_tracker

T = TypeVar("T")

FLOW_RUN = "prefect.flow_run_id"

THREADS = 256
"""Tasks wait in threads for what they need; slots and workers, not threads, limit the trainings."""

RUNNER: TaskRunner[Any] = ThreadPoolTaskRunner(max_workers=THREADS)

Engine = Literal["local", "workers"]


@dataclass(frozen=True)
class Watch:
    """Somebody who looks on.

    Attributes:
        work: what lies ahead, as a plan has it.
        listen: told of every event.
    """

    work: Work
    listen: Callable[[Event], None]


WATCH: ContextVar[Watch | None] = ContextVar("watch", default=None)
"""Looks on at the flow that is called in this context."""


@flow(
    name="reproduce",
    flow_run_name="{experiment} {scale}",
    task_runner=RUNNER,
    persist_result=False,
)
def reproduce(
    experiment: str = "digits",
    scale: str = "demo",
    data: str | None = None,
    k: list[int] | None = None,
    draws: int | None = None,
    seed: int | None = None,
    weights: str | None = None,
    partial: bool = False,
    tables: list[int] | None = None,
    figures: list[int] | None = None,
    studies: list[str] | None = None,
    home: str | None = None,
    engine: Engine = "local",
) -> str:
    """Reproduce an experiment; what is finished already is not done again.

    Args:
        experiment: a packaged experiment or the path of a TOML file.
        scale: a table under its `[scales]`.
        data: folder of the real data; the embedded data without it.
        k: labelled samples a class, in place of the file's.
        draws: number of random V, in place of the file's.
        seed: in place of the file's.
        weights: `none`, `imagenet` or a file, in place of the file's.
        partial: go on with what is there where photos or clips are missing.
        tables: numbers of the paper's, in place of the file's.
        figures: the same.
        studies: `rho`, `hyper_validation`, in place of the file's.
        home: folder of everything that is written; GRADMIX_HOME or `runs` without it.
        engine: `local`: trainings run in slots of this machine; `workers`: on those of a fleet.

    Returns:
        The folder of the reproduction's record.

    Raises:
        StageError: if a stage failed; what does not depend on it is finished first.
    """
    folder = open_home(home_named(home))
    known = KnownDigests(folder)
    order = place_order(
        Invocation(
            experiment=experiment,
            scale=scale,
            data=data,
            k=tuple(k or ()),
            draws=draws,
            seed=seed,
            weights=weights,
            partial=partial,
            tables=_given(tables),
            figures=_given(figures),
            studies=_given(studies),
        ),
        known,
    )
    known.save()
    return str(_reproduce(order, folder, engine))


def _given(values: list[T] | None) -> tuple[T, ...] | None:
    return None if values is None else tuple(values)


def _reproduce(order: Order, home: Path, engine: Engine) -> Path:
    tags = _tags(order)
    close_dead(home, own=tags.get(FLOW_RUN))
    slots = SlotPool.of_this_machine(locks=home / LOCKS)
    # How many workers a fleet has is not known here.
    places = len(slots.slots) if engine == "local" else 0
    watch = WATCH.get() or Watch(Work.of(make_plan(order, home), places), lambda _: None)
    status = StatusFile(home, watch.work, _about(order, engine, tags))
    ledger = Ledger([status.listen, watch.listen])
    with status.kept():
        return _run(order, home, engine, slots, ledger, tags)


def _run(
    order: Order, home: Path, engine: Engine, slots: SlotPool, ledger: Ledger, tags: dict[str, str]
) -> Path:
    # Of two that make a new database at once, one would fail.
    with locked(home / LOCKS / "tracking"):
        tracker = open_tracker(home, EXPERIMENT)
    run_id = tracker.start_run(
        order.name,
        order.identity,
        "reproduction",
        tags=tags,
        params=flattened(order.experiment.model_dump(mode="json")),
    )
    announce_run(order.name, run_id, tracker.pages())
    storage = open_storage()
    store = Store(home, storage)
    here, fleet = SlotRunner(home, slots), None
    if engine == "workers":
        fleet = FleetRunner(PrefectDispatch(), store, _job_tags(order, tags), storage)
    on_cores = any(slot.device == "" for slot in slots.slots)
    decode = here if on_cores else SlotRunner(home, SlotPool.of_cores(locks=home / LOCKS))
    runtime = Runtime(
        store, fleet or here, decode, tracker, run_id, ledger.listen, tags, order.scope
    )
    submit = PrefectSubmit()
    try:
        with use(runtime), PeakMemory() as memory:
            stages = pipeline(order.experiment, order.raw, submit)
            _finish(submit.futures, ledger)
    except StageError:
        tracker.finish(run_id, "FAILED")
        raise
    except BaseException:
        # An interrupt reaches the main thread only; this ends the trainings in all others.
        runtime.stop()
        raise
    folder = record_folder(order.name, home)
    # Where nothing was trained, the record of the run that did it says when, with what and how.
    if ledger.executed or not (folder / FILE).exists():
        names = ledger.slots if engine == "workers" else [slot.name for slot in slots.slots]
        record = make_record(order, stages, ledger, run_id, names, home, tracker.pages())
        save_record(record | {"peak_memory": memory.figures}, home)
        announce_results(order.name, record, folder)
    track_results(order, stages, tracker, run_id)
    tracker.log_artifact(run_id, folder)
    tracker.log_table(run_id, "cells.csv", ledger.cells())
    tracker.finish(run_id)
    tracker.replay()
    runtime.store.flush()
    return folder


def _finish(futures: Sequence[PrefectFuture[dict[str, Any]]], ledger: Ledger) -> None:
    """Wait for everything; one line about the first failure, which the others follow from."""
    wait(list(futures))
    failed = [future for future in futures if not future.state.is_completed()]
    if not failed:
        return
    known = ledger.failures
    cause = _cause(known[0]) if known else str(failed[0].state.message)
    raise StageError(
        f"{' '.join(cause.split())} ({len(failed)} of {len(futures)} stages could not finish; what "
        "is finished is kept, and the same command goes on.)"
    )


def _cause(failure: Event) -> str:
    named = failure.message.startswith(failure.label)
    return failure.message if named else f"{failure.label}: {failure.message}"


def _tags(order: Order) -> dict[str, str]:
    tags = {
        "git.sha": git_commit()["git_sha"] or "unknown",
        "gradmix.experiment": order.experiment.name,
        "gradmix.scale": order.experiment.scale,
    }
    context = FlowRunContext.get()
    if context is not None and context.flow_run is not None:
        tags[FLOW_RUN] = str(context.flow_run.id)
    return tags


def _job_tags(order: Order, tags: Mapping[str, str]) -> tuple[str, ...]:
    """Of the flow runs on workers: by the last of them they are found again and cancelled."""
    return (order.name, f"{DRIVER}{tags.get(FLOW_RUN, order.identity)}")


def _about(order: Order, engine: Engine, tags: Mapping[str, str]) -> dict[str, Any]:
    return {
        "name": order.name,
        "title": order.experiment.title,
        "command": order.invocation.command,
        "engine": engine,
        "flow_run_id": tags.get(FLOW_RUN),
        # Set by the worker that started this process, where one did.
        "deployed": os.environ.get("PREFECT__FLOW_RUN_ID"),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }
