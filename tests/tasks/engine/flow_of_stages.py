"""Stages in real Prefect flows, in a process of its own: `python flow_of_stages.py HOME`.

Prints one JSON object: by flow, the state of each stage and what was executed, and the events.
"""

import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from tasks.engine.runtime import Runtime, use
from tasks.engine.stage import Outcome, Stage, Workplace
from tasks.errors import StageError
from tasks.events import Event
from tasks.execution.environment import configure
from tasks.execution.prefect_server import prefect_server
from tasks.execution.slot_runner import SlotRunner
from tasks.execution.slots import Slot, SlotPool
from tasks.storage.artifacts import Artifact, Request, Store
from tasks.tracking.tracker import Tracker


def describe_number(label: str, x: int) -> Request:
    return Request("number", 1, {"x": x}, {}, 0, label)


def number(place: Workplace, label: str, x: int) -> Outcome:
    (place.output / "number.txt").write_text(str(x))
    return Outcome({"x": x})


def describe_add(label: str, parts: list[Artifact]) -> Request:
    inputs = {f"part {i}": part.digest for i, part in enumerate(parts)}
    return Request("add", 1, {}, inputs, 0, label)


def add(place: Workplace, label: str, parts: list[Artifact]) -> Outcome:
    if any(part.summary["x"] < 0 for part in parts):
        raise StageError(f"{label}: expected no negative number, found one.")
    return Outcome({"x": sum(part.summary["x"] for part in parts)})


NUMBER = Stage("number", describe_number, number)
ADD = Stage("add", describe_add, add)


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
            one = submit(NUMBER, label="one", x=1)
            other = submit(NUMBER, label="other", x=second)
            same = submit(NUMBER, label="same as one", x=1)
            s = submit(ADD, label="s", parts=[one, other])
            t = submit(ADD, label="t", parts=[s, same])
            u = submit(NUMBER, label="u", after=[t], x=9)
            wait(submit.futures)
            assert submit.futures == [one, other, same, s, t, u]
            with suppress(Exception):
                results["t"] = t.result()["summary"]["x"]
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
        return Store(self.home).folder(describe_number("", x)) / "number.txt"

    def record(self, x: int) -> Path:
        """Prefect's record of a number's result."""
        name = f"number-{describe_number('', x).identity}"
        return self.home / "prefect" / "results" / name


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
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
