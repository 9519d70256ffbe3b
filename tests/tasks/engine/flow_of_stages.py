"""Real Prefect flows, in a process of its own: `python flow_of_stages.py HOME`.

Prints one JSON object: by flow of stages, the state of each stage and what was executed, and the
events; the states of forty quick tasks and one that fails, and those that the server has recorded
once it is stopped.
"""

import json
import os
import sqlite3
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, cast

from tasks.engine.runtime import Runtime, use
from tasks.engine.stage import A, Stage, StageInputs, Workplace
from tasks.errors import StageError
from tasks.events import Event
from tasks.execution.environment import configure
from tasks.execution.prefect_server import prefect_server
from tasks.execution.slot_runner import SlotRunner
from tasks.execution.slots import Slot, SlotPool
from tasks.outcome import Outcome
from tasks.storage.artifacts import Request, Store
from tasks.subjects import Subject
from tasks.tracking.tracker import Tracker


@dataclass(frozen=True, kw_only=True)
class NumberInputs(StageInputs):
    x: int


def describe_number(inputs: NumberInputs) -> Request:
    return Request("number", 1, {"x": inputs.x}, {}, 0, inputs.subject)


def number(place: Workplace, inputs: NumberInputs) -> Outcome:
    (place.output / "number.txt").write_text(str(inputs.x))
    return Outcome({"x": inputs.x})


@dataclass(frozen=True, kw_only=True)
class AddInputs(StageInputs, Generic[A]):
    parts: tuple[A, ...]


def describe_add(inputs: AddInputs) -> Request:
    used = {f"part {i}": part.digest for i, part in enumerate(inputs.parts)}
    return Request("add", 1, {}, used, 0, inputs.subject)


def add(place: Workplace, inputs: AddInputs) -> Outcome:
    if any(part.summary["x"] < 0 for part in inputs.parts):
        raise StageError(f"{inputs.subject.label}: expected no negative number, found one.")
    return Outcome({"x": sum(part.summary["x"] for part in inputs.parts)})


NUMBER = Stage("number", NumberInputs, describe_number, number)
ADD = Stage("add", AddInputs, describe_add, add)


def of(label: str, x: int) -> NumberInputs:
    return NumberInputs(subject=Subject(name=label), x=x)


def sum_of(label: str, *parts: A) -> AddInputs[A]:
    return AddInputs(subject=Subject(name=label), parts=parts)


class Scene:
    """A home, and flows in it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.executions = home / "executions.jsonl"

    def run(self, *, second: int = 2) -> dict[str, Any]:
        """1 and `second`, their sum s, and s + 1 = t; u waits for t without reading it."""
        from prefect import flow
        from prefect.futures import wait
        from prefect.task_runners import ThreadPoolTaskRunner

        from tasks.engine.prefect_tasks import PrefectSubmit

        events: list[Event] = []
        # These stages track nothing.
        tracker = cast("Tracker", None)
        here = SlotRunner(self.home, SlotPool([Slot("cpu:0")]))
        runtime = Runtime(Store(self.home), here, here, tracker, "parent", events.append)
        before = self._executed()

        @flow(name="sums", task_runner=ThreadPoolTaskRunner(max_workers=8))
        def sums() -> dict[str, Any]:
            submit = PrefectSubmit()
            one = submit(NUMBER, of("one", 1))
            other = submit(NUMBER, of("other", second))
            same = submit(NUMBER, of("same as one", 1))
            s = submit(ADD, sum_of("s", one, other))
            t = submit(ADD, sum_of("t", s, same))
            u = submit(NUMBER, of("u", 9), after=[t])
            wait(submit.futures)
            assert submit.futures == [future.future for future in (one, other, same, s, t, u)]
            with suppress(Exception):
                results["t"] = t.result().summary["x"]
            labels = ["one", "other", "same as one", "s", "t", "u"]
            states = [future.state.name for future in submit.futures]
            return dict(zip(labels, states, strict=True))

        results: dict[str, Any] = {}
        with use(runtime):
            states = sums()
        return {
            "states": states,
            "executed": self._executed()[len(before) :],
            "events": [(event.label, event.state, event.message) for event in events],
            **results,
        }

    def _executed(self) -> list[str]:
        lines = self.executions.read_text().splitlines() if self.executions.exists() else []
        return [json.loads(line)["label"] for line in lines]

    def artifact(self, x: int) -> Path:
        """The file of a number's artifact."""
        return Store(self.home).folder(describe_number(of("", x))) / "number.txt"

    def record(self, x: int) -> Path:
        """Prefect's record of a number's result."""
        name = f"number-{describe_number(of('', x)).identity}"
        return self.home / "prefect" / "results" / name


def squares() -> list[str]:
    """States of forty quick tasks, and of one that fails."""
    from prefect import flow, task
    from prefect.futures import wait
    from prefect.task_runners import ThreadPoolTaskRunner

    @task
    def square(x: int) -> int:
        return x * x

    @task
    def fail() -> None:
        raise ValueError("on purpose")

    @flow(task_runner=ThreadPoolTaskRunner(max_workers=8))
    def quick() -> list[str]:
        futures = [square.submit(x) for x in range(40)] + [fail.submit()]
        wait(futures)
        return [future.state.name for future in futures]

    return quick()


def recorded(home: Path) -> list[tuple[str, int]]:
    """Number of quick tasks by state, as the server's database has them."""
    query = (
        "select state_name, count(*) from task_run where task_key like 'square%' "
        "or task_key like 'fail%' group by 1 order by 1"
    )
    with sqlite3.connect(home / "prefect" / "prefect.db") as database:
        return database.execute(query).fetchall()


def main(home: Path) -> None:
    """Run the scenes one after the other in one home."""
    configure(home)
    scene = Scene(home)
    told: dict[str, Any] = {}
    with prefect_server(home):
        told["first"] = scene.run()
        told["again"] = scene.run()
        scene.artifact(2).write_text("3")
        # As a kill may leave it.
        text = scene.record(9).read_bytes()
        scene.record(9).write_bytes(text[: len(text) // 2])
        told["damaged"] = scene.run()
        told["failing"] = scene.run(second=-2)
        # Last, as a server that is stopped too early loses the latest states.
        told["quick"] = squares()
    assert "PREFECT_API_URL" not in os.environ
    told["recorded"] = recorded(home)
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
