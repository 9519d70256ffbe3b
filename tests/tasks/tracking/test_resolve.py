"""What a person may call a run or model, and what is refused."""

import shutil

import numpy as np
import pytest

from data.errors import DataError
from data.fingerprint import digest_json as sha
from data.tables.pseudo_labels import Member, PseudoLabels, write_pseudo_labels
from tasks.execution.databases import MLFLOW, ensure_database
from tasks.tracking.mlflow_store import TrackingError
from tasks.tracking.tracker import DATABASE, open_tracker


def written(path, u, source="mnist/train:0"):
    table = PseudoLabels(
        sample_id=np.array([3]),
        source=[source],
        hard_label=np.array([1]),
        agreed=np.array([True]),
        min_confidence=np.array([0.9], np.float32),
        soft_label=np.array([[0.1, 0.9]], np.float32),
        member_probabilities=np.array([[[0.1, 0.9]]], np.float32),
        classes=("5", "6"),
        threshold=0.5,
        members=(Member(identity="1" * 64),),
        digests={"U": u},
    )
    write_pseudo_labels(table, path)
    return path


@pytest.fixture
def labelled(tracker, identity, tmp_path):
    """A file of labels and the run that stored it, and another run over the same U."""
    u = sha("u" + identity)
    runs = []
    for name, source in (("other", "mnist/train:8"), ("mine", "mnist/train:0")):
        (tmp_path / name).mkdir()
        file = written(tmp_path / name / "pseudo_labels.parquet", u, source)
        run = tracker.start_run(name, sha(name + identity), "pseudo_label")
        tracker.log_dataset(run, "U", u, "split", "unlabelled")
        tracker.log_artifact(run, file)
        runs.append(run)
    return file, runs[1], u


def one_line(error):
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_run_and_a_model_are_found_by_the_beginning_of_their_ids(tracker, identity, tmp_path):
    weights = tmp_path / "w.pt"
    weights.write_bytes(b"w")
    run = tracker.start_run("r", identity, "train")
    model = tracker.log_model(run, "net", identity, weights)
    for length in (12, 32):
        assert tracker.find(run[:length]) == run
        assert tracker.find(model[: 2 + length]) == model


def test_ids_that_begin_alike_are_named(tracker, client, identity, monkeypatch):
    first, second = (tracker.start_run(n, sha(n + identity), "train") for n in ("one", "two"))

    def alike(where):
        assert where == "attributes.run_id LIKE 'abc123%'"
        return [client.get_run(first), client.get_run(second)]

    monkeypatch.setattr(tracker._store, "runs", alike)
    with pytest.raises(TrackingError, match="abc123 to mean one thing") as found:
        tracker.find("abc123")
    assert all(part in one_line(found) for part in (first, second, "(one)", "(two)"))


def test_champion_alone_is_the_only_one_or_they_are_named(tracker, identity, tmp_path):
    weights, models = tmp_path / "w.pt", {}
    weights.write_bytes(b"w")
    for name in ("one", "two"):
        run = tracker.start_run(name, sha(name + identity), "train")
        models[name] = tracker.log_model(run, name, sha(name + identity), weights)
    ensure_database(MLFLOW, tmp_path / DATABASE)
    other = open_tracker(tmp_path, "digits")
    run = other.start_run("r", identity, "train")
    only = other.log_model(run, "net", identity, weights)
    with pytest.raises(TrackingError, match="not found"):
        other.find("champion")
    other.register_champion("gradmix-only", only, {}, "best")
    assert other.find("champion") == only
    for name, model in models.items():
        tracker.register_champion(f"gradmix-{name}-{identity[:8]}", model, {}, "best")
    with pytest.raises(TrackingError, match="champion to mean one thing"):
        tracker.find("champion")


@pytest.mark.parametrize("text", ["0123ab", "m-0123ab", "abc", "nothing", "no@champion", "a'b%"])
def test_what_is_not_there_is_an_error_that_says_what_could_be(tracker, text):
    with pytest.raises(TrackingError, match="not found") as found:
        tracker.find(text)
    assert text in one_line(found)


def test_a_reproduction_is_found_by_name_the_newest_finished_one(tracker, client, identity):
    name = f"tiny-demo-{identity[:8]}"
    experiment = client.get_experiment_by_name("digits").experiment_id
    tags = {"gradmix.stage": "reproduction"}
    runs = [
        client.create_run(experiment, time, tags, name).info.run_id for time in (1000, 2000, 3000)
    ]
    client.create_run(experiment, 4000, {"gradmix.stage": "train"}, name)
    assert tracker.find(name) == runs[2]
    for run in runs[:2]:
        client.set_terminated(run)
    assert tracker.find(name) == runs[1]


def test_a_file_of_labels_leads_to_its_run_wherever_it_lies(tracker, labelled, tmp_path):
    file, run, _ = labelled
    copy = tmp_path / "copy of labels.parquet"
    shutil.copy(file, copy)
    assert (tracker.find(str(file)), tracker.find(str(copy))) == (run, run)


def test_a_changed_file_of_labels_is_refused(tracker, labelled, tmp_path):
    _, _, u = labelled
    changed = written(tmp_path / "changed.parquet", u, "mnist/train:1")
    with pytest.raises(
        TrackingError, match="than the 2 runs that labelled the same U wrote"
    ) as found:
        tracker.find(str(changed))
    assert str(changed) in one_line(found)
    foreign = written(tmp_path / "foreign.parquet", sha("another U"))
    with pytest.raises(TrackingError, match="the 0 runs"):
        tracker.find(str(foreign))


def test_a_damaged_and_a_missing_file_of_labels_are_refused(tracker, labelled, tmp_path):
    file, _, _ = labelled
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(DataError, match="damaged"):
        tracker.find(str(file))
    with pytest.raises(DataError, match="found none at"):
        tracker.find(str(tmp_path / "none.parquet"))
