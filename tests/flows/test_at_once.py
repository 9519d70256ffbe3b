"""Commands over one home at once: they share the work and the slots, and all end well."""

import json
import time
from collections import Counter
from types import SimpleNamespace

import psutil
import pytest

from tasks.execution.slots import SlotPool

pytestmark = [pytest.mark.flow, pytest.mark.slow]

TEMPLATE = "tasks.execution.template_process"


def jobs_in(home):
    """Number of jobs at work in a home folder: forks of a template that have gone there."""
    count = 0
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
            if TEMPLATE in words and process.cwd() == str(home):
                count += TEMPLATE in process.parent().cmdline()
        except (psutil.Error, AttributeError):  # it has ended, or its parent has
            continue
    return count


@pytest.fixture(scope="module")
def told(tmp_path_factory, tiny_text, command):
    """Twice one draw and once two draws of one experiment, at the same time."""
    folder = tmp_path_factory.mktemp("at-once")
    home, file = folder / "home", folder / "tiny.toml"
    file.write_text(tiny_text.replace("steps = 20", "steps = 200"))
    words = ["reproduce", str(file), "--scale", "tiny"]
    runs = [command(home, *words), command(home, *words), command(home, *words, "--draws", "2")]
    told = SimpleNamespace(home=home, runs=[run.start() for run in runs], most=0, servers=0)
    while any(run.process.poll() is None for run in runs):
        told.most = max(told.most, jobs_in(home))
        told.servers = max(told.servers, len(list(home.glob("prefect*/.lock"))))
        time.sleep(0.05)
    for run in runs:
        run.wait()
    told.left = runs[0].left_over()
    lines = (home / "executions.jsonl").read_text().splitlines()
    told.executions = [json.loads(line) for line in lines]
    return told


def test_all_end_well_and_leave_nothing(told):
    assert [(run.code, run.err) for run in told.runs] == [(0, "")] * 3
    assert told.left == []
    assert list(told.home.glob("work/*/*")) == []
    assert list(told.home.glob("status/*")) == list(told.home.glob("locks/*")) == []


def test_every_identity_is_executed_once(told):
    counts = Counter(entry["identity"] for entry in told.executions)
    assert set(counts.values()) == {1}
    trainings = [entry for entry in told.executions if entry["stage"] == "train"]
    assert len(trainings) == 2 * 4


def test_together_they_do_no_more_jobs_at_a_time_than_there_are_slots(told):
    assert 1 <= told.most <= len(SlotPool.of_this_machine().slots)


def test_each_had_a_server_of_its_own_and_its_record_tells_the_same(told):
    assert told.servers == 3
    records = [json.loads(p.read_text()) for p in told.home.glob("reproductions/*/record.json")]
    by_draws = {len({row["draw"] for row in record["rows"]}): record for record in records}
    assert set(by_draws) == {1, 2}
    same = ("row", "k", "draw", "test_accuracy", "accuracy", "identity", "run_id")
    first = [[row[key] for key in same] for row in by_draws[1]["rows"]]
    again = [[row[key] for key in same] for row in by_draws[2]["rows"] if row["draw"] == 0]
    assert first == again
