"""The flow `reproduce`: an experiment from raw data to its record."""

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.context import FlowRunContext
from prefect.futures import PrefectFuture, wait
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from data.counting import counted
from data.digest_cache import KnownDigests
from flows.experiment.run_request import Engine, RunRequest
from flows.experiment.run_spec import RunSpec, resolve
from flows.monitoring.counts import Observer, Work
from flows.monitoring.event_log import EventLog
from flows.monitoring.peak_memory import PeakMemory
from flows.monitoring.status_file import StatusFile, close_dead
from flows.pipeline.graph import pipeline
from flows.pipeline.plan import make_plan
from flows.records.provenance import git_commit
from flows.records.run_pages import announce_run, mlflow_page
from tasks.engine.mlflow_run import flattened
from tasks.engine.prefect_tasks import PrefectSubmit
from tasks.engine.runtime import LOCKS, Runtime, use
from tasks.errors import StageError
from tasks.events import Event
from tasks.execution.databases import ensure_tracking
from tasks.execution.fleet_runner import FleetRunner
from tasks.execution.launch import Launch
from tasks.execution.prefect_runs import DRIVER, PrefectDispatch
from tasks.execution.slot_runner import SlotRunner
from tasks.execution.slots import SlotPool
from tasks.execution.template import Template
from tasks.storage.artifacts import Store
from tasks.storage.home import home_named, open_home, sweep_home
from tasks.storage.locks import locked
from tasks.storage.remote import open_storage
from tasks.tracking.tracker import EXPERIMENT, open_tracker

NAME = "reproduce"
FLOW_RUN = "prefect.flow_run_id"

THREADS = 256
"""Tasks wait for inputs in threads; trainings are limited by slots and workers, not threads."""

RUNNER: TaskRunner[Any] = ThreadPoolTaskRunner(max_workers=THREADS)


@flow(
    name=NAME,
    flow_run_name="{experiment} {scale}",
    task_runner=RUNNER,
    persist_result=False,
)
def reproduce(
    experiment: str = "digits",
    scale: str | None = "demo",
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
    """Reproduce an experiment; finished work is reused.

    This is the deployed flow, with the parameters of `RunRequest`. The command line calls `start`
    with a resolved specification.

    Args:
        experiment: a packaged experiment or the path of a TOML file.
        scale: a table under its `[scales]`; null for a file without scales.
        data: folder of the real data; by default the embedded data.
        k: labelled samples per class; overrides the file.
        draws: number of random V; overrides the file.
        seed: random seed; overrides the file.
        weights: `none`, `imagenet` or a file; overrides the file.
        partial: skip missing photos and clips.
        tables: numbers of the paper's tables; overrides the file.
        figures: numbers of the paper's figures; overrides the file.
        studies: `rho`, `hyper_validation`; overrides the file.
        home: folder for all output; by default GRADMIX_HOME or `runs`.
        engine: `local` trains in slots of this machine, `workers` on those of a fleet.

    Returns:
        Folder of the reproduction's record.

    Raises:
        StageError: if a stage failed; everything independent of it is finished first.
    """
    request = RunRequest(
        experiment=experiment,
        scale=scale,
        data=data,
        k=tuple(k or ()),
        draws=draws,
        seed=seed,
        weights=weights,
        partial=partial,
        tables=None if tables is None else tuple(tables),
        figures=None if figures is None else tuple(figures),
        studies=None if studies is None else tuple(studies),
    )
    spec, folder = resolve_in(request, home)
    return str(run(spec, folder, engine))


def resolve_in(request: RunRequest, home: str | None) -> tuple[RunSpec, Path]:
    """Run specification of a request, and the home folder, created if necessary."""
    folder = open_home(home_named(home))
    known = KnownDigests(folder)
    spec = resolve(request, known)
    known.save()
    return spec, folder


def start(
    spec: RunSpec, home: Path, engine: Engine, observer: Observer, template: Template
) -> Path:
    """Run a specification in a new flow run; returns the folder of its record."""

    @flow(
        name=NAME,
        flow_run_name="{request.experiment} {request.scale}",
        task_runner=RUNNER,
        persist_result=False,
    )
    # Prefect's UI shows its parameters; digests of thousands of files would be unreadable.
    def reproduction(request: RunRequest, home: str, engine: Engine) -> str:
        del request
        return str(run(spec, Path(home), engine, observer, template))

    return Path(reproduction(spec.request, str(home), engine))


def run(
    spec: RunSpec,
    home: Path,
    engine: Engine,
    observer: Observer | None = None,
    template: Template | None = None,
) -> Path:
    """Run a specification in the current flow run; returns the folder of its record.

    Args:
        spec: what to run.
        home: the home folder.
        engine: where trainings run.
        observer: follows the run.
        template: jobs are forked from it, and it is ended afterwards; by default a new one.
    """
    tags = _tags(spec)
    close_dead(home, own=tags.get(FLOW_RUN))
    sweep_home(home)
    slots = SlotPool.of_this_machine(locks=home / LOCKS)
    # The number of workers in a fleet is unknown here.
    places = len(slots.slots) if engine == "local" else 0
    if observer is None:
        observer = Observer(work=Work.of(make_plan(spec, home), places), listen=lambda _: None)
    status = StatusFile(home, observer.work, _about(spec, engine, tags))
    event_log = EventLog([status.listen, observer.listen])
    with status.kept(), template or Template() as launch:
        return _run(spec, home, engine, slots, event_log, tags, launch, status)


def _run(
    spec: RunSpec,
    home: Path,
    engine: Engine,
    slots: SlotPool,
    event_log: EventLog,
    tags: dict[str, str],
    launch: Launch,
    status: StatusFile,
) -> Path:
    # If two processes create a database at once, one of them fails.
    with locked(home / LOCKS / "tracking"):
        ensure_tracking(home)
        tracker = open_tracker(home, EXPERIMENT)
    run_id = tracker.start_run(
        spec.name,
        spec.identity,
        "reproduction",
        tags=tags,
        params=flattened(spec.experiment.model_dump(mode="json")),
    )
    pages = tracker.pages()
    announce_run(spec.name, run_id, pages)
    status.add({"mlflow": mlflow_page(run_id, pages)})
    storage = open_storage()
    store = Store(home, storage)
    here, fleet = SlotRunner(home, slots, launch), None
    if engine == "workers":
        fleet = FleetRunner(PrefectDispatch(), store, _job_tags(spec, tags), storage)
    no_gpu = any(slot.device == "" for slot in slots.slots)
    cores = here if no_gpu else SlotRunner(home, SlotPool.of_cores(locks=home / LOCKS), launch)
    runtime = Runtime(
        store, fleet or here, cores, tracker, run_id, event_log.listen, tags, spec.scope
    )
    submit = PrefectSubmit()
    try:
        with use(runtime), PeakMemory() as memory:
            stages = pipeline(spec.experiment, spec.raw, submit)
            _finish(submit.futures, event_log)
    except StageError:
        tracker.finish(run_id, "FAILED")
        raise
    except BaseException:
        # An interrupt only reaches the main thread; this stops trainings in other threads.
        runtime.stop()
        raise
    # Imported only now: torch and matplotlib would delay the first training by seconds.
    from flows.records.publish import publish  # noqa: PLC0415

    names = event_log.slots if engine == "workers" else [slot.name for slot in slots.slots]
    folder = publish(
        spec,
        stages,
        event_log,
        tracker,
        run_id=run_id,
        home=home,
        slots=names,
        peak_memory=memory.figures,
    )
    tracker.finish(run_id)
    tracker.replay()
    runtime.store.flush()
    return folder


def _finish(futures: Sequence[PrefectFuture[Any]], event_log: EventLog) -> None:
    """Wait for all stages, and raise the first failure, which caused the others."""
    wait(list(futures))
    failed = [future for future in futures if not future.state.is_completed()]
    if not failed:
        return
    known = event_log.failures
    cause = _cause(known[0]) if known else str(failed[0].state.message)
    raise StageError(
        f"{' '.join(cause.split())} ({len(failed)} of {counted(len(futures), 'stage')} "
        "could not finish; "
        "finished work is kept, and the same command continues.)"
    )


def _cause(failure: Event) -> str:
    named = failure.message.startswith(failure.label)
    return failure.message if named else f"{failure.label}: {failure.message}"


def _tags(spec: RunSpec) -> dict[str, str]:
    tags = {
        "git.sha": git_commit()["git_sha"] or "unknown",
        "gradmix.experiment": spec.experiment.name,
        "gradmix.scale": spec.experiment.scale,
    }
    context = FlowRunContext.get()
    if context is not None and context.flow_run is not None:
        tags[FLOW_RUN] = str(context.flow_run.id)
    return tags


def _job_tags(spec: RunSpec, tags: Mapping[str, str]) -> tuple[str, ...]:
    """Tags of the flow runs on workers; the last one is used to find and cancel them."""
    return (spec.name, f"{DRIVER}{tags.get(FLOW_RUN, spec.identity)}")


def _about(spec: RunSpec, engine: Engine, tags: Mapping[str, str]) -> dict[str, Any]:
    return {
        "name": spec.name,
        "title": spec.experiment.title,
        "command": spec.request.command,
        "engine": engine,
        "flow_run_id": tags.get(FLOW_RUN),
        # Set if a worker started this process.
        "deployed": os.environ.get("PREFECT__FLOW_RUN_ID"),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }
