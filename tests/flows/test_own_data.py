"""Photos and clips of one's own: what the files decide, before anything runs."""

from pathlib import Path

import pytest
import torch

from data.digest_cache import FILE, KnownDigests
from data.errors import DataError
from flows.experiment.experiment_file import load_experiment
from flows.experiment.run_request import RunRequest
from flows.experiment.run_spec import resolve
from flows.experiment.toml_file import SettingsError
from flows.monitoring.event_log import EventLog
from flows.pipeline.plan import make_plan
from flows.records.record import make_record
from tasks.codec import encode
from tasks.errors import StageError
from tasks.reporting.report import write_report

OWN = Path(__file__).with_name("own.toml")
CLASSES = {"near": ("Jump", "Run", "Sit"), "far": ("Cat", "Dog")}


@pytest.fixture
def files(tmp_path):
    """Clips of two classes, photos of these and of another, photos of two other classes."""
    root = tmp_path / "data"
    for split in ("train", "test"):
        for name in ("Run", "Jump"):
            for number in range(4):
                put(root / "clips" / split / name / f"{split}{number}.avi")
    for dataset, names in CLASSES.items():
        for name in names:
            put(root / dataset / name / "photo.jpg")
    return root


def put(path, content=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content or path.name)


@pytest.fixture
def own(tmp_path):
    """Path of the experiment file, after replacements."""

    def write(*replacements):
        text = OWN.read_text(encoding="utf-8")
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new, 1)
        path = tmp_path / "own.toml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


@pytest.fixture
def recorded(tmp_path, imitate):
    """The record of an order whose stages are all finished."""

    def record(placed):
        stages = imitate(placed, tmp_path / "home")
        event_log = EventLog()
        memory = {"pss_mib": 10.0, "rss_mib": 12.0}
        return make_record(
            placed, stages, event_log, "run", ["cpu:0"], tmp_path / "home", {}, memory
        )

    return record


@pytest.fixture
def order(own, files):
    def place(*replacements, **words):
        given = {"experiment": own(*replacements), "scale": "tiny", "data": str(files)}
        return resolve(RunRequest(**given | words), KnownDigests())

    return place


def test_classes_are_looked_up_in_the_files(order):
    found = order()
    assert found.experiment.classes_are_known
    assert found.experiment.target.classes == ("Jump", "Run")
    assert [source.classes for source in found.experiment.sources] == [
        ("Jump", "Run"),
        ("Cat", "Dog"),
    ]
    assert found.experiment.problem.relations == {"S1": "equal", "S2": "disjoint"}


def test_named_classes_are_kept_and_checked_against_the_files(order):
    some = order(('dataset = "far"\nclasses = "all"', 'dataset = "far"\nclasses = ["Dog"]'))
    assert some.experiment.sources[1].classes == ("Dog",)
    with pytest.raises(SettingsError, match=r"sources\[1\]\.classes: expected one of Cat, Dog, fo"):
        order(('dataset = "far"\nclasses = "all"', 'dataset = "far"\nclasses = ["Dogs"]'))


def test_a_source_without_the_targets_classes_is_named_with_the_data(order, files):
    (files / "near" / "Run" / "photo.jpg").unlink()
    (files / "near" / "Run").rmdir()
    expected = rf"own on {files}: sources\[0\]\.classes: expected one of Jump, Sit, found \"Run\""
    with pytest.raises(SettingsError, match=expected):
        order()


def test_no_source_with_the_targets_label_space_is_refused_before_anything_runs(order):
    with pytest.raises(SettingsError, match="expected a source with the target's label space"):
        order(('classes = "target"', 'classes = "all"'))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('classes = "target"', 'classes = "targets"', "expected one of all, target, found"),
        (
            'classes = "all"\nhyper',
            'classes = "target"\nhyper',
            r"target\.classes: expected one of",
        ),
        ("tables = [3]", "tables = [1]", "expected table 3, that of a target of clips, found 1"),
        ("frames = 2", "max_broken = 1.5", r"images\.max_broken: expected a value of at most 1"),
        ('trunk = "convnet"', 'trunk = "resnet50"', r"network\.trunk: expected one of convnet, "),
        (
            'reader = "clip_folders"',
            'reader = "mnist"\nembedded = "street"',
            r"sources\[0\]\.dataset: expected data of the target's kind",
        ),
        (
            'folder = "near"',
            'folder = "../near"',
            r"datasets\.near\.folder: expected a folder under",
        ),
        ('folder = "near"', 'folder = "/near"', r"datasets\.near\.folder: expected a folder under"),
        ('"clip_folders"', '"clip_folders"\nembedded = "street"', r"datasets\.clips\.embedded: ex"),
    ],
)
def test_a_wrong_setting_is_refused_at_its_key(own, old, new, expected):
    with pytest.raises(SettingsError, match=expected):
        load_experiment(own((old, new)), "tiny")


def test_every_nth_frame_takes_the_place_of_a_number_of_frames(order):
    images = order(("frames = 2", "frames = 2\nevery = 3")).experiment.images
    assert images.sampling == {"every": 3}


def test_a_trunk_that_a_method_cannot_read_is_refused_before_anything_runs(order):
    with pytest.raises(StageError, match=r"network\.trunk: expected a trunk that ends in a map"):
        order(("hidden = 0", "hidden = 8"))


def test_without_a_data_folder_there_is_nothing_in_its_place(own):
    with pytest.raises(DataError, match=r"'clip_folders', which has no embedded data .* --data"):
        resolve(RunRequest(experiment=own(), scale="tiny"), KnownDigests())


def test_the_bytes_and_classes_of_files_decide_and_where_they_lie_does_not(order, files, tmp_path):
    before = order().identity
    files.rename(tmp_path / "moved")
    assert order(data=str(tmp_path / "moved")).identity == before
    (tmp_path / "moved" / "far" / "Cat" / "photo.jpg").write_text("another")
    assert order(data=str(tmp_path / "moved")).identity != before


def test_clips_and_photos_have_stages_of_their_own(order, tmp_path):
    entries = make_plan(order(), tmp_path / "none")
    assert [(entry.stage, entry.label) for entry in entries[:7]] == [
        ("extract", "clips train: frames"),
        ("pictures", "clips train"),
        ("extract", "clips test: frames"),
        ("pictures", "clips test"),
        ("pictures", "near train"),
        ("pictures", "far train"),
        ("split", "k=1 draw=0: split"),
    ]


def test_features_of_a_frozen_trunk_are_made_of_training_splits_alone(order, tmp_path):
    lite = 'trunk = "efficientnet_lite0"\nweights = "imagenet"\nfrozen = "block12"\n'
    convnet = 'trunk = "convnet"\nsettings = { widths = [4, 4, 4, 4], hidden = 0 }\n'
    placed = order((convnet, lite))
    labels = [entry.label for entry in make_plan(placed, tmp_path / "none")]
    assert [label for label in labels if label.endswith("features")] == [
        "clips train: features",
        "near train: features",
        "far train: features",
    ]
    assert placed.raw.weights_digest is not None
    other = tmp_path / "own.pt"
    weights = torch.load(placed.raw.weights, weights_only=True)
    torch.save({name: value + 1 for name, value in weights.items()}, other)
    changed = order((convnet, lite), weights=str(other))
    assert changed.identity != placed.identity
    assert changed.request.command.endswith(f"--weights {other}")


def test_a_folder_that_is_cut_off_is_found_on_request(order, files):
    for path in (files / "clips" / "test" / "Run").iterdir():
        path.unlink()
    with pytest.raises(DataError, match=r"found Run in only one: .*--partial"):
        order()
    assert order(partial=True).experiment.target.classes == ("Jump", "Run")


def test_a_file_in_both_splits_of_the_target_is_refused(order, files):
    put(files / "clips" / "test" / "Run" / "copy.avi", "train1.avi")
    with pytest.raises(DataError, match="both the training and the test split of clips, found"):
        order()


@pytest.mark.parametrize(
    ("photo", "clip", "where"),
    [
        ("near/Run", "test/Jump/test0.avi", "S1 and the target's test split"),
        ("far/Cat", "test/Run/test0.avi", "S2 and the target's test split"),
        ("near/Run", "train/Run/train0.avi", "S1 and the target's training split"),
        ("far/Cat", "train/Run/train0.avi", "S2 and the target's training split"),
    ],
)
def test_a_source_that_shows_the_targets_files_is_refused(order, files, photo, clip, where):
    put(files / photo / "copy.jpg", (files / "clips" / clip).name)
    with pytest.raises(DataError, match=f"Expected no file in both {where}, found ") as caught:
        order()
    assert str(files / photo / "copy.jpg") in str(caught.value)


def test_a_file_in_two_classes_of_a_source_is_seen_in_each(order, files):
    for name in ("Jump", "Run", "Sit"):
        put(files / "near" / name / "copy.jpg", "test0.avi")
    with pytest.raises(DataError, match="S1 and the target's test split"):
        order()


def test_files_of_classes_that_are_not_trained_on_may_be_shared(order, files):
    put(files / "near" / "Sit" / "copy.jpg", "train0.avi")
    put(files / "near" / "Sit" / "another.jpg", "test0.avi")
    for split in ("train", "test"):
        put(files / "clips" / split / "Swim" / f"{split}.avi", f"swim {split}")
    put(files / "far" / "Cat" / "copy.jpg", "swim train")
    named = ('classes = "all"\nhyper', 'classes = ["Jump", "Run"]\nhyper')
    assert order(named).experiment.target.classes == ("Jump", "Run")
    put(files / "far" / "Cat" / "another.jpg", "swim test")
    with pytest.raises(DataError, match="S2 and the target's test split"):
        order(named)


def test_digests_are_taken_once_where_there_is_a_home(own, files, tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    given = RunRequest(experiment=own(), scale="tiny", data=str(files))
    known = KnownDigests(home)
    first = resolve(given, known)
    known.save()
    assert (home / FILE).exists()

    def refuse(path):
        raise AssertionError(path)

    monkeypatch.setattr("data.digest_cache.sha256_file", refuse)
    assert resolve(given, KnownDigests(home)).identity == first.identity


def test_a_record_tells_frames_from_clips(order, recorded):
    record = encode(recorded(order()))
    assert record["note"] == "Made by a test."
    assert record["paper"] == {"Source only": {"1": [41.96]}}
    assert record["paper_clips"] == {"Source only": {"1": [43.46]}}
    rows = {row["row"]: row for row in record["rows"]}
    assert list(rows) == ["Source only", "EnergyNet (our reading)", "GradMix", "GradMix hard"]
    assert all(row["test_clips"] == 8 and row["test_n"] == 50 for row in rows.values())
    assert rows["GradMix"]["test_clip_accuracy"] > rows["GradMix"]["test_accuracy"]
    assert record["data"][0]["clips"] == 4
    assert record["data"][0]["skipped"] == {"why": 2}
    assert record["data"][0]["broken"] == 1


def test_a_target_of_photos_is_one_of_images(order, files, recorded, tmp_path):
    for path in files.glob("clips/*/*/*.avi"):
        path.rename(path.with_suffix(".jpg"))
    record = recorded(order(('"clip_folders"', '"photo_folders"'), ("[3]", "[1]")))
    assert record.data[0].clips is None
    assert all(row.test_n == 50 and row.test_clips is None for row in record.rows)
    write_report(record, tmp_path)
    report = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "## Table 1: test accuracy" in report
    assert "per video" not in report
