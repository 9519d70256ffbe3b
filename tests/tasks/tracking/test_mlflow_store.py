"""Runs, figures, data and models in a real store."""

import json
import threading
from pathlib import Path

from data.fingerprint import digest_json as sha
from tasks.tracking.mlflow_store import CONTEXT, DIGEST, IDENTITY, PARENT, STAGE, MlflowStore
from tasks.tracking.tracker import WRITES, MetricRow, open_tracker


def test_the_home_store_and_its_artifacts_lie_in_the_home_folder(home, tracker, client, identity):
    run = tracker.start_run("r", identity, "first")
    tracker.log_text(run, "note.txt", "hello")
    assert (home / "mlflow.db").is_file()
    assert [path.read_text() for path in (home / "mlartifacts").glob(f"{run}/**/note.txt")] == [
        "hello"
    ]


def test_a_run_carries_its_tags_and_settings(tracker, client, identity):
    parent = tracker.start_run("parent", sha("p" + identity), "experiment")
    run_id = tracker.start_run(
        "cell", identity, "first", tags={"git.sha": "abc"}, params={"beta": 0.1}, parent=parent
    )
    run = client.get_run(run_id)
    assert run.info.run_name == "cell"
    assert run.info.status == "RUNNING"
    assert run.data.params == {"beta": "0.1"}
    tags = {key: run.data.tags[key] for key in (IDENTITY, STAGE, PARENT, "git.sha")}
    assert tags == {IDENTITY: identity, STAGE: "first", PARENT: parent, "git.sha": "abc"}


def test_more_settings_than_one_request_takes_are_all_kept(tracker, client, identity):
    params = {f"p{number}": number for number in range(230)}
    run_id = tracker.start_run("many", identity, "first", params=params)
    assert client.get_run(run_id).data.params == {k: str(v) for k, v in params.items()}


def test_batches_are_stored_exactly_and_non_finite_values_left_out(
    tracker, client, identity, monkeypatch, history
):
    sizes = []
    log_points = MlflowStore.log_points

    def counted(store, *, run, points):
        sizes.append(len(points))
        log_points(store, run=run, points=points)

    monkeypatch.setitem(WRITES, "log_points", counted)
    run_id = tracker.start_run("r", identity, "first")
    rows = [MetricRow(n, {"loss": 0.1 + n, "acc": 1 / (1 + n)}, 1000.5 + n) for n in range(1100)]
    rows += [MetricRow(1100, {"loss": float("nan"), "acc": float("inf")}, 1.0)]
    tracker.log_metrics(run_id, rows)
    assert sizes == [1000, 1000, 200]
    assert history(run_id, "loss") == [(n, 0.1 + n, 1_000_500 + 1000 * n) for n in range(1100)]
    assert [m[:2] for m in history(run_id, "acc")] == [(n, 1 / (1 + n)) for n in range(1100)]


def test_a_killed_run_is_continued_without_storing_its_rows_twice(
    home, tracker, client, identity, history
):
    first = tracker.start_run("r", identity, "first", params={"a": 1})
    tracker.log_metrics(first, [MetricRow(n, {"loss": n / 3}) for n in range(5)])

    later = open_tracker(home, "digits")
    second = later.start_run(
        "r", identity, "first", tags={"git.sha": "new"}, params={"a": 2, "b": 3}
    )
    later.log_metrics(second, [MetricRow(n, {"loss": n / 3}) for n in range(8)])
    later.finish(second)

    assert second == first
    assert [m[:2] for m in history(first, "loss")] == [(n, n / 3) for n in range(8)]
    run = client.get_run(first)
    assert (run.info.status, run.data.tags["git.sha"]) == ("FINISHED", "new")
    assert run.data.params == {"a": "1", "b": "3"}
    assert tracker.start_run("r", identity, "first") != first  # a finished run is not reopened


def test_of_several_runs_left_running_one_continues_and_the_rest_are_killed(
    tracker, client, identity
):
    experiment = client.get_experiment_by_name("digits").experiment_id
    old, new = (
        client.create_run(experiment, start_time=time, tags={IDENTITY: identity}).info.run_id
        for time in (1000, 2000)
    )
    assert tracker.start_run("r", identity, "first") == new
    assert [client.get_run(run).info.status for run in (old, new)] == ["KILLED", "RUNNING"]


def test_data_is_linked_once_with_its_full_digest(tracker, client, identity):
    run = tracker.start_run("r", identity, "first")
    for _ in range(2):
        tracker.log_dataset(run, "frames", sha("f"), "https://example.org/f.zip", "training")
    (edge,) = client.get_run(run).inputs.dataset_inputs
    assert (edge.dataset.name, edge.dataset.digest) == ("frames", sha("f")[:36])
    assert json.loads(edge.dataset.source) == {"url": "https://example.org/f.zip"}
    assert {tag.key: tag.value for tag in edge.tags} == {CONTEXT: "training", DIGEST: sha("f")}


def test_a_run_keeps_one_model_of_a_name_with_its_files(tracker, client, identity, tmp_path):
    weights = tmp_path / "weights.pt"
    weights.write_bytes(b"1234")
    run = tracker.start_run("r", identity, "final")
    model = tracker.log_model(run, "net", identity, weights)
    assert tracker.log_model(run, "net", identity, weights) == model
    stored = client.get_logged_model(model)
    assert (str(stored.status), stored.source_run_id) == ("READY", run)
    assert stored.tags[IDENTITY] == identity
    assert [f.path for f in client.list_logged_model_artifacts(model)] == ["weights.pt"]
    assert [edge.model_id for edge in client.get_run(run).outputs.model_outputs] == [model]


def test_threads_that_log_at_once_lose_nothing(tracker, client, identity, history):
    runs = [tracker.start_run(f"r{n}", sha(f"{n}{identity}"), "first") for n in range(4)]

    def log(run):
        for start in range(0, 200, 20):
            tracker.log_metrics(run, [MetricRow(start + n, {"loss": n}) for n in range(20)])

    threads = [threading.Thread(target=log, args=(run,)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for run in runs:
        assert [m[:2] for m in history(run, "loss")] == [(n, n % 20) for n in range(200)]


def test_a_table_is_a_file_with_a_column_for_each_key(tracker, client, identity, tmp_path):
    run = tracker.start_run("r", identity, "experiment")
    tracker.log_table(
        run, "cells.csv", [{"cell": "a,b", "state": "cached"}, {"cell": "c", "acc": 1}]
    )
    path = Path(client.download_artifacts(run, "cells.csv", str(tmp_path)))
    assert path.read_text() == 'cell,state,acc\n"a,b",cached,\nc,,1\n'
