"""The flow: an experiment from raw data to its record."""

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TypeVar

from prefect import flow
from prefect.context import FlowRunContext
from prefect.futures import PrefectFuture, wait
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from data.known_digests import KnownDigests
from flows.ledger import Ledger
from flows.memory import PeakMemory
from flows.order import Invocation, Order, place_order
from flows.pipeline import pipeline
from flows.provenance import git_commit
from flows.record import FILE, make_record, record_folder, save_record
from tasks.artifacts import Store
from tasks.engine import PrefectSubmit
from tasks.errors import StageError
from tasks.home import exclusive, open_home
from tasks.runtime import Event, Runtime, use
from tasks.slots import SlotPool
from tasks.tracked import flattened
from tasks.tracker import EXPERIMENT, open_tracker

T = TypeVar("T")

THREADS = 64
"""Tasks wait in threads for what they need; slots, not threads, limit the trainings."""

RUNNER: TaskRunner[Any] = ThreadPoolTaskRunner(max_workers=THREADS)

LISTENER: ContextVar[Callable[[Event], None]] = ContextVar("listener", default=lambda _: None)
"""Told of every event of the flow that is called in this context."""


@flow(
    name="reproduce",
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
    home: str = "runs",
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
        home: folder of everything that is written.

    Returns:
        The folder of the reproduction's record.

    Raises:
        StageError: if a stage failed; what does not depend on it is finished first.
    """
    folder = open_home(Path(home))
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
    with exclusive(folder):
        return str(_reproduce(order, folder))


def _given(values: list[T] | None) -> tuple[T, ...] | None:
    return None if values is None else tuple(values)


def _reproduce(order: Order, home: Path) -> Path:
    ledger = Ledger(LISTENER.get())
    tracker = open_tracker(home, EXPERIMENT)
    slots = SlotPool.of_this_machine()
    cores = None if any(slot.device == "" for slot in slots.slots) else SlotPool.of_cores()
    tags = _tags(order)
    run_id = tracker.start_run(
        order.name,
        order.identity,
        "reproduction",
        tags=tags,
        params=flattened(order.experiment.model_dump(mode="json")),
    )
    store, listen = Store(home), ledger.listen
    runtime = Runtime(store, slots, tracker, run_id, listen, tags, order.scope, cores)
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
        names = [slot.name for slot in slots.slots]
        record = make_record(order, stages, ledger, run_id, names, home, tracker.pages())
        save_record(record | {"peak_memory": memory.figures}, home)
    tracker.log_artifact(run_id, folder)
    tracker.log_table(run_id, "cells.csv", ledger.cells())
    tracker.finish(run_id)
    tracker.replay()
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
        tags["prefect.flow_run_id"] = str(context.flow_run.id)
    return tags
