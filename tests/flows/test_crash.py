"""`kill -9` at three points of a reproduction, then the same command: the same result."""

import json
from collections import Counter
from functools import partial
from types import SimpleNamespace

import pytest

pytestmark = [pytest.mark.flow, pytest.mark.slow]

MORE = (
    ("steps = 20", "steps = 200"),
    ("draws = 1", "draws = 2"),
    ("beta = [5, 10]", "beta = [5, 10, 15]"),
    (
        "[first_stage]",
        '[[baselines]]\nname = "Fine-tune"\nmethod = "fine_tune"\n\n[first_stage]',
    ),
)
DIFFERENT = (
    *("seconds", "run_id", "started", "finished", "executed", "peak_memory", "name"),
    "resumed_from",
)

# By point: how many trainings must be finished before, and which one must be at a checkpoint.
POINTS = {
    "the first trainings": (0, lambda _: True),
    "the grid": (3, lambda job: "beta" in job["settings"] and not job["pseudo"]),
    "a final training": (0, lambda job: job["pseudo"]),
}


def finished(home):
    """Results by identity."""
    results = [json.loads(path.read_text()) for path in home.glob("artifacts/*/*/result.json")]
    return {result["identity"]: result for result in results}


def executions(home):
    lines = (home / "executions.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def record(home):
    (path,) = home.glob("reproductions/*/record.json")
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def told(tmp_path_factory, tiny_text, command):
    """An uninterrupted run in one home; three kills and an end in another."""
    folder = tmp_path_factory.mktemp("crash")
    for old, new in MORE:
        assert old in tiny_text
        tiny_text = tiny_text.replace(old, new, 1)
    (folder / "tiny.toml").write_text(tiny_text)
    words = ["reproduce", str(folder / "tiny.toml"), "--scale", "tiny"]
    told = SimpleNamespace(whole=folder / "whole", broken=folder / "broken", kills=[])
    told.uninterrupted = command(told.whole, *words).start().wait()

    def ready(run, least, wanted):
        done = len(list(told.broken.glob("artifacts/train/*")))
        return done >= least and run.checkpoints(wanted)

    for point, condition in POINTS.items():
        run = command(told.broken, *words).start()
        run.kill_when(partial(ready, run, *condition))
        kill = SimpleNamespace(
            point=point,
            code=run.code,
            time=run.killed,
            left=run.left_over(),
            done=finished(told.broken),
            checkpoints=[p.parent.name for p in told.broken.glob("work/train/*/checkpoint.pt")],
        )
        told.kills.append(kill)
    told.last = command(told.broken, *words).start().wait()
    told.left_in_the_end = told.last.left_over()
    print(figures(told))  # noqa: T201 - shown with `pytest -s`
    return told


def figures(told):
    """A summary for people."""
    runs = Counter(entry["stage"] for entry in executions(told.broken))
    whole = Counter(entry["stage"] for entry in executions(told.whole))
    points = [(kill.point, len(kill.done), len(kill.left)) for kill in told.kills]
    return (
        f"\nuninterrupted: {dict(whole)}\nthree kills: {dict(runs)}\n(point, done, left): {points}"
    )


def test_every_run_ended_as_it_should(told):
    assert (told.uninterrupted.code, told.uninterrupted.err) == (0, "")
    assert [kill.code for kill in told.kills] == [-9, -9, -9]
    assert (told.last.code, told.last.err) == (0, "")


def test_no_process_is_left_behind(told):
    assert [kill.left for kill in told.kills] == [[], [], []]
    assert told.left_in_the_end == []


def test_nothing_that_was_finished_runs_again(told):
    for kill in told.kills:
        later = [entry for entry in executions(told.broken) if entry["time"] > kill.time]
        again = [entry["label"] for entry in later if entry["identity"] in kill.done]
        assert again == [], kill.point
    done = [len(kill.done) for kill in told.kills]
    assert done == sorted(done)


def test_interrupted_trainings_went_on_from_a_checkpoint(told):
    # A training that ended between the look at its checkpoint and the kill was not interrupted.
    interrupted = {
        name
        for kill in told.kills
        for name in kill.checkpoints
        if name not in {identity[:32] for identity in kill.done}
    }
    assert len(interrupted) >= 2
    trainings = [r for r in finished(told.broken).values() if "resumed_from" in r["notes"]]
    resumed = {r["identity"][:32] for r in trainings if r["notes"]["resumed_from"] >= 10}
    assert resumed == interrupted


def test_artifacts_equal_those_of_the_uninterrupted_run(told):
    whole, broken = finished(told.whole), finished(told.broken)
    digests = [{key: r["digest"] for key, r in results.items()} for results in (whole, broken)]
    assert digests[0] == digests[1]
    trainings = [key for key, r in whole.items() if "resumed_from" in r["notes"]]
    assert len(trainings) == 2 * 6
    for key in trainings:
        assert whole[key]["files"]["model.pt"] == broken[key]["files"]["model.pt"]
        assert whole[key]["files"]["curve.json"] == broken[key]["files"]["curve.json"]


def test_the_records_tell_the_same_results(told):
    def results(value):
        if isinstance(value, dict):
            return {key: results(v) for key, v in value.items() if key not in DIFFERENT}
        return [results(item) for item in value] if isinstance(value, list) else value

    whole, broken = record(told.whole), record(told.broken)
    assert results(whole) == results(broken)
    assert whole["name"] == broken["name"]
    assert whole["executed"] == {"trainings": 12, "cached": 0}


def test_nothing_unfinished_is_left(told):
    assert list(told.broken.glob("work/*/*")) == []
    assert list(told.broken.rglob("*.tmp")) == []
