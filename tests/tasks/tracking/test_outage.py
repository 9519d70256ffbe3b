"""Outages of the store, lost answers, refused writes."""

import json
import logging

import pytest

from data.fingerprint import digest_json as sha
from tasks.tracking.mlflow_store import IDENTITY, PARENT, TrackingError
from tasks.tracking.tracker import MetricRow, Tracker, open_tracker

ERROR = "connection refused"


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


def waiting(home):
    spool = home / "tracking-spool.jsonl"
    return [json.loads(line) for line in spool.read_text().splitlines()] if spool.exists() else []


def rejected(home):
    path = home / "tracking-spool.rejected.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_an_outage_is_warned_of_once_and_replayed_in_order_once(
    home, tracker, identity, monkeypatch, caplog, history
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
    assert history(run_id, "loss")[0] == (1, 0.5, 7000)
    assert [m[:2] for m in history(run_id, "loss")] == [(1, 0.5), (2, 0.25)]
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
    tracker, identity, monkeypatch, tmp_path, call, history
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
    assert [m[:2] for m in history(stored.info.run_id, "loss")] == [(1, 0.5)]
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
