"""Tracking against a real store in a temporary folder; one database for the whole file."""

import hashlib
import json
import logging
import threading
from pathlib import Path

import pytest

from tasks.lineage import boxes, gaps, graph, tree
from tasks.tracker import WRITES, MetricRow, Tracker, open_tracker
from tasks.tracking import CONTEXT, DIGEST, IDENTITY, PARENT, STAGE, MlflowStore, TrackingError

ERROR = "connection refused"


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tracked home")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        open_tracker(folder, "digits")
    return folder


@pytest.fixture
def tracker(home, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return open_tracker(home, "digits")


@pytest.fixture
def client(home):
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{home / 'mlflow.db'}")


@pytest.fixture
def identity(request):
    return sha(request.node.name)


class Away:
    """A client whose server is away."""

    def __getattr__(self, name):
        def fail(*args, **kwargs):
            raise ConnectionError(ERROR)

        return fail


class DeafAfter:
    """A client that does what it is told and then loses the answer, for the named call."""

    def __init__(self, client, name):
        self.client, self.name = client, name

    def __getattr__(self, name):
        call = getattr(self.client, name)
        if name != self.name:
            return call

        def answer_lost(*args, **kwargs):
            call(*args, **kwargs)
            raise ConnectionError(ERROR)

        return answer_lost


def cut(tracker, monkeypatch):
    monkeypatch.setattr(tracker._store, "_client", Away())


def history(client, run_id, key):
    return [(m.step, m.value, m.timestamp) for m in client.get_metric_history(run_id, key)]


def waiting(home):
    spool = home / "tracking-spool.jsonl"
    return [json.loads(line) for line in spool.read_text().splitlines()] if spool.exists() else []


def rejected(home):
    path = home / "tracking-spool.rejected.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


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
    tracker, client, identity, monkeypatch
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
    assert history(client, run_id, "loss") == [
        (n, 0.1 + n, 1_000_500 + 1000 * n) for n in range(1100)
    ]
    assert [m[:2] for m in history(client, run_id, "acc")] == [
        (n, 1 / (1 + n)) for n in range(1100)
    ]


def test_a_killed_run_is_continued_without_storing_its_rows_twice(home, tracker, client, identity):
    first = tracker.start_run("r", identity, "first", params={"a": 1})
    tracker.log_metrics(first, [MetricRow(n, {"loss": n / 3}) for n in range(5)])

    later = open_tracker(home, "digits")
    second = later.start_run(
        "r", identity, "first", tags={"git.sha": "new"}, params={"a": 2, "b": 3}
    )
    later.log_metrics(second, [MetricRow(n, {"loss": n / 3}) for n in range(8)])
    later.finish(second)

    assert second == first
    assert [m[:2] for m in history(client, first, "loss")] == [(n, n / 3) for n in range(8)]
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


def test_an_outage_is_warned_of_once_and_replayed_in_order_once(
    home, tracker, identity, monkeypatch, caplog
):
    weights = home / "weights.bin"
    weights.write_bytes(b"w")
    before = tracker.start_run("before", sha("b" + identity), "first")
    client = tracker._store._client
    cut(tracker, monkeypatch)
    with caplog.at_level(logging.WARNING):
        run = tracker.start_run("during", identity, "first", params={"a": 1}, parent=before)
        tracker.log_metrics(run, [MetricRow(1, {"loss": 0.5}, 7.0), MetricRow(2, {"loss": 0.25})])
        tracker.set_tags(run, {"t": "1"})
        tracker.set_tags(run, {"t": "2"})
        tracker.log_dataset(run, "raw", sha("raw"), "raw.mat", "raw")
        tracker.log_artifact(run, weights)
        tracker.log_table(run, "cells.csv", [{"cell": "a,b", "state": "cached"}, {"run": 3}])
        model = tracker.log_model(run, "net", identity, weights)
        tracker.log_model_inputs(before, [model])
        tracker.finish(run, "FAILED")
        tracker.finish(before)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert ERROR in caplog.text
    assert (run, model) == (f"pending-run:{identity}", f"pending-model:{identity}")
    assert [write["op"] for write in waiting(home)][:3] == ["start_run", "log_points", "set_tags"]
    assert not tracker.replay()

    monkeypatch.setattr(tracker._store, "_client", client)
    assert tracker.replay()
    assert tracker.replay()
    assert waiting(home) == []
    run_id, model_id = tracker.resolve(run), tracker.resolve(model)
    stored = client.get_run(run_id)
    assert history(client, run_id, "loss")[0] == (1, 0.5, 7000)
    assert [m[:2] for m in history(client, run_id, "loss")] == [(1, 0.5), (2, 0.25)]
    assert stored.info.status == "FAILED"
    assert (stored.data.tags["t"], stored.data.tags[PARENT]) == ("2", before)
    assert stored.data.params == {"a": "1"}
    assert [edge.dataset.name for edge in stored.inputs.dataset_inputs] == ["raw"]
    assert [edge.model_id for edge in stored.outputs.model_outputs] == [model_id]
    assert sorted(f.path for f in client.list_artifacts(run_id)) == ["cells.csv", "weights.bin"]
    assert [edge.model_id for edge in client.get_run(before).inputs.model_inputs] == [model_id]
    assert client.get_run(before).info.status == "FINISHED"
    # The pending ids work for ever, in any process.
    assert open_tracker(home, "digits").resolve(run) == run_id
    assert open_tracker(home, "digits").resolve(model) == model_id


@pytest.mark.parametrize("call", ["create_run", "log_batch", "log_inputs", "log_outputs"])
def test_a_write_whose_answer_was_lost_is_not_made_twice(
    tracker, identity, monkeypatch, tmp_path, call
):
    weights = tmp_path / "w"
    weights.write_bytes(b"w")
    client = tracker._store._client
    monkeypatch.setattr(tracker._store, "_client", DeafAfter(client, call))
    run = tracker.start_run("r", identity, "first")
    tracker.log_metrics(run, [MetricRow(1, {"loss": 0.5})])
    tracker.log_dataset(run, "raw", sha("raw"), "raw.mat", "raw")
    tracker.log_model(run, "net", identity, weights)
    tracker.finish(run)
    monkeypatch.setattr(tracker._store, "_client", client)
    assert tracker.replay()

    experiment = client.get_experiment_by_name("digits").experiment_id
    (stored,) = client.search_runs([experiment], f"tags.`{IDENTITY}` = '{identity}'")
    assert [m[:2] for m in history(client, stored.info.run_id, "loss")] == [(1, 0.5)]
    assert len(stored.inputs.dataset_inputs) == len(stored.outputs.model_outputs) == 1
    assert stored.info.status == "FINISHED"


def test_after_a_failure_writes_wait_in_order_until_the_store_is_tried_again(
    home, tracker, client, identity, monkeypatch
):
    run = tracker.start_run("r", identity, "first")
    real = tracker._store._client
    cut(tracker, monkeypatch)
    tracker.set_tags(run, {"t": "old"})
    monkeypatch.setattr(tracker._store, "_client", real)
    tracker.set_tags(run, {"t": "new"})
    assert len(waiting(home)) == 2  # the second did not overtake the first
    assert open_tracker(home, "digits").replay()  # the next process makes them
    assert client.get_run(run).data.tags["t"] == "new"


def test_a_refused_write_is_set_aside_with_its_reason_and_blocks_nothing(
    home, tracker, client, identity, caplog
):
    run = tracker.start_run("r", identity, "first")
    tracker.log_artifact(run, home / "no such file")
    tracker.set_tags("0" * 32, {"t": "1"})
    tracker.set_tags(run, {"t": "1"})
    assert client.get_run(run).data.tags["t"] == "1"
    assert waiting(home) == []
    assert [write["op"] for write in rejected(home)] == ["log_artifact", "set_tags"]
    assert "not found" in rejected(home)[-1]["reason"]
    assert len(caplog.records) == 2


def test_a_store_that_refuses_its_address_is_an_error_of_one_line(tmp_path):
    with pytest.raises(TrackingError, match="MLFLOW_TRACKING_URI") as found:
        Tracker((tmp_path / "runs").as_uri(), "x", tmp_path, tmp_path / "spool.jsonl")
    assert "\n" not in str(found.value)


def test_a_server_that_is_away_at_the_start_stops_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    tracker = open_tracker(tmp_path, "digits")
    run = tracker.start_run("r", sha("x"), "first")
    tracker.finish(run)
    assert [write["op"] for write in waiting(tmp_path)] == ["start_run", "finish"]
    with pytest.raises(TrackingError, match=r"127\.0\.0\.1"):
        tracker.lineage(run)


def test_files_that_moved_during_an_outage_are_stored_from_where_they_lie(
    home, tracker, client, identity, monkeypatch
):
    run = tracker.start_run("r", identity, "first")
    now, later = home / "work" / "model.pt", home / "kept" / "model.pt"
    for folder in (now.parent, later.parent):
        folder.mkdir()
    now.write_bytes(b"weights")
    with monkeypatch.context() as patch:
        cut(tracker, patch)
        tracker.log_artifact(run, now, later=later)
        model = tracker.log_model(run, "net", identity, now, later=later)
        now.rename(later)
    assert tracker.replay()
    assert [file.path for file in client.list_artifacts(run)] == ["model.pt"]
    assert client.get_logged_model(tracker.resolve(model)).status == "READY"


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


def test_threads_that_log_at_once_lose_nothing(tracker, client, identity):
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
        assert [m[:2] for m in history(client, run, "loss")] == [(n, n % 20) for n in range(200)]


@pytest.fixture
def chain(tracker, tmp_path, identity):
    """Raw file -> prepared data -> two members -> pseudo-labels -> final model."""
    weights = tmp_path / "w.pt"
    weights.write_bytes(b"w")
    digests = {name: sha(name + identity) for name in ("raw", "prepared", "labels")}

    def run(name, inputs, output=None, models=(), model=False):
        run_id = tracker.start_run(name, sha(name + identity), name)
        for data, context in inputs:
            tracker.log_dataset(run_id, data, digests[data], f"{data}.bin", context)
        if output:
            tracker.log_dataset(run_id, output, digests[output], f"{output}.bin", "output")
        tracker.log_model_inputs(run_id, models)
        made = tracker.log_model(run_id, name, sha(name + identity), weights) if model else None
        tracker.finish(run_id)
        return run_id, made

    prepare, _ = run("prepare", [("raw", "raw")], output="prepared")
    members = [run(name, [("prepared", "training")], model=True)[1] for name in ("m1", "m2")]
    labels, _ = run("labels", [("prepared", "labelling")], output="labels", models=members)
    final, model = run("final", [("prepared", "training"), ("labels", "training")], model=True)
    return {"prepare": prepare, "label run": labels, "final": final, "model": model, **digests}


def test_the_lineage_of_a_final_model_reaches_the_raw_data_without_a_gap(tracker, chain):
    node = tracker.lineage(chain["model"])
    assert gaps(node) == []
    assert (node.kind, node.inputs[0].id) == ("model", chain["final"])
    found = sorted((box.kind, box.name) for box in boxes(node))
    assert found == [
        *(("dataset", name) for name in ("labels", "prepared", "raw")),
        *(("model", name) for name in ("final", "m1", "m2")),
        *(("run", name) for name in ("final", "labels", "m1", "m2", "prepare")),
    ]
    ends = {(box.id, box.facts["source"]) for box in boxes(node) if not box.inputs}
    assert ends == {(chain["raw"], "raw.bin")}
    edges = graph(node)["edges"]
    assert {"from": chain["labels"], "to": chain["final"]} in edges
    assert {"from": chain["final"], "to": chain["model"]} in edges


def test_the_lineage_prints_as_a_tree_that_unfolds_each_box_once(tracker, chain):
    short = {name: f"[sha256 {chain[name][:12]}]" for name in ("raw", "prepared", "labels")}
    lines = tree(tracker.lineage(chain["final"]))
    assert lines[:6] == [
        f"run final [{chain['final']}] final FINISHED",
        f"├─ dataset labels {short['labels']} training labels.bin",
        f"│  └─ run labels [{chain['label run']}] labels FINISHED",
        f"│     ├─ dataset prepared {short['prepared']} labelling prepared.bin",
        f"│     │  └─ run prepare [{chain['prepare']}] prepare FINISHED",
        f"│     │     └─ dataset raw {short['raw']} raw raw.bin",
    ]
    assert lines[-1] == f"└─ dataset prepared {short['prepared']} training prepared.bin (see above)"
    assert sum(line.endswith("(see above)") for line in lines) == 3
    assert len(lines) == 13


def test_a_chain_that_ends_before_the_raw_data_is_reported(tracker, identity):
    run = tracker.start_run("r", identity, "final")
    tracker.log_dataset(run, "lost", sha("lost" + identity), "lost.bin", "training")
    other = tracker.start_run("other", sha("o" + identity), "first")
    tracker.log_dataset(other, "same", sha("lost" + identity), "lost.bin", "evaluation")
    (gap,) = gaps(tracker.lineage(run))
    assert "dataset lost" in gap
    assert "no run produced" in gap
    bare = tracker.start_run("bare", sha("bare" + identity), "first")
    assert gaps(tracker.lineage(bare)) == [f"run bare ({bare}): the run names no input"]


def test_the_lineage_of_an_unknown_id_is_an_error_of_one_line(tracker):
    with pytest.raises(TrackingError, match="not found") as found:
        tracker.lineage("0" * 32)
    assert "\n" not in str(found.value)


def test_a_table_is_a_file_with_a_column_for_each_key(tracker, client, identity, tmp_path):
    run = tracker.start_run("r", identity, "experiment")
    tracker.log_table(
        run, "cells.csv", [{"cell": "a,b", "state": "cached"}, {"cell": "c", "acc": 1}]
    )
    path = Path(client.download_artifacts(run, "cells.csv", str(tmp_path)))
    assert path.read_text() == 'cell,state,acc\n"a,b",cached,\nc,,1\n'
