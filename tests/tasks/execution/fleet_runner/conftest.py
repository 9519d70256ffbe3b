"""A job in a fresh home, run on workers whose server and clock are of the test."""

from collections.abc import Callable
from typing import Any

import pytest

from tasks.engine.runtime import Runtime
from tasks.engine.stage import Workplace
from tasks.execution import fleet_runner as workers_module
from tasks.execution import job_transfer as exchange
from tasks.execution.fleet_runner import FleetRunner
from tasks.storage.artifacts import Request
from tasks.subjects import Subject
from tests.tasks.execution.fleet_runner.fakes import Clock, Run, Server


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(workers_module, "time", clock)
    monkeypatch.setattr(exchange, "time", clock)
    return clock


@pytest.fixture
def place(runtime: Runtime) -> Workplace:
    request = Request("train", 1, {}, {}, 0, Subject(name="k=3 draw=0: GradMix"))
    folder = runtime.store.work(request)
    (folder / "job.json").write_text("{}")
    return Workplace(runtime, request, folder, folder / "output")


@pytest.fixture
def server(clock: Clock, runtime: Runtime) -> Server:
    return Server(clock, runtime.home)


@pytest.fixture
def run(place: Workplace, server: Server) -> Callable[..., None]:
    """Run a job on workers to which the given things happen, the last again and again."""

    def call(*happens: Callable[[Run], object], **options: Any) -> None:
        server.happens = list(happens)
        runner = FleetRunner(server, place.runtime.store, ("digits",), **options)
        runner.run("train", place.folder, place.follower(steps=20))

    return call
