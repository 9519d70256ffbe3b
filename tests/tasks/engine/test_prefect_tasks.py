"""Stages as Prefect tasks, on a real server."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

ALL = {"one", "other", "same as one", "s", "t", "u"}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the flows of flow_of_stages.py told; Prefect's settings are global to a process."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    script = Path(__file__).with_name("flow_of_stages.py")
    done = subprocess.run(
        [sys.executable, "-P", str(script), str(tmp_path_factory.mktemp("home"))],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told | {"complaints": done.stderr}


def events(flow: dict[str, Any], state: str) -> Counter[str]:
    return Counter(label for label, found, _ in flow["events"] if found == state)


@pytest.mark.flow
def test_every_stage_is_executed_once_and_futures_become_artifacts(told) -> None:
    flow = told["first"]

    assert flow["states"] == dict.fromkeys(ALL, "Completed")
    assert flow["t"] == 4
    # Two tasks with one identity share one execution, whichever of them was first.
    done = ["one" if label == "same as one" else label for label in flow["executed"]]
    assert sorted(done) == ["one", "other", "s", "t", "u"]
    assert sum(events(flow, "cached").values()) == 1
    assert flow["executed"].index("u") > flow["executed"].index("t")


@pytest.mark.flow
def test_prefect_answers_from_its_record_and_everybody_is_told(told) -> None:
    flow = told["again"]

    assert flow["states"] == dict.fromkeys(ALL, "Cached")
    assert flow["executed"] == []
    assert events(flow, "cached") == Counter(ALL)
    assert flow["t"] == 4


@pytest.mark.flow
def test_a_damaged_artifact_runs_again_although_prefect_has_a_record(told) -> None:
    flow = told["damaged"]

    assert flow["states"]["other"] == "Completed"
    assert flow["executed"] == ["other"]
    # Made again with the same digest, so nothing that depends on it runs.
    assert {flow["states"][label] for label in ("one", "same as one", "s", "t")} == {"Cached"}
    assert flow["t"] == 4


@pytest.mark.flow
def test_half_a_record_of_prefects_costs_no_execution(told) -> None:
    flow = told["damaged"]

    assert flow["states"]["u"] == "Completed"
    assert "u" not in flow["executed"]
    assert set(events(flow, "cached")) == ALL - {"other"}


@pytest.mark.flow
def test_a_failing_stage_holds_back_what_depends_on_it_and_nothing_else(told) -> None:
    flow = told["failing"]

    assert flow["states"] == {
        "one": "Cached",
        "other": "Completed",
        "same as one": "Cached",
        "s": "Failed",
        # By an input and by `after`.
        "t": "NotReady",
        "u": "NotReady",
    }
    assert sorted(flow["executed"]) == ["other", "s"]
    assert ["s", "failed", "s: expected no negative number, found one."] in flow["events"]


@pytest.mark.flow
def test_flows_run_quietly_and_are_recorded_to_the_last_state(told) -> None:
    assert told["quick"] == ["Completed"] * 40 + ["Failed"]
    # A server stopped before it has recorded what it was told would miss some.
    assert told["recorded"] == [["Completed", 40], ["Failed", 1]]
    assert told["complaints"] == ""
