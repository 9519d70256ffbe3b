"""Labels of files: the model's own, whatever is interrupted, with what cannot be read beside."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from data.errors import DataError
from data.frames.chunks import encode_jpeg
from data.frames.decode import clip_frames
from data.frames.sampling import Sampling
from tasks.models.description import ImageDescription
from tasks.models.labels import labels_of
from tasks.models.network import load_model_folder
from tasks.models.pixels import as_read
from tasks.prediction import labelling
from tasks.prediction.inputs import Item, decode_item, list_items
from tasks.prediction.labelling import label_files
from tasks.prediction.tables import COLUMNS


def quiet(_done: int, _total: int) -> None:
    pass


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_labels_are_those_of_the_model(single: Path, photos: Path, as_array, tmp_path) -> None:
    model, out = load_model_folder(single), tmp_path / "labels.csv"
    items, others = list_items([str(photos)], "photos")
    found = label_files(model, items, out, 4, quiet)
    rows = rows_of(out)
    assert tuple(rows[0]) == COLUMNS
    assert (found.files, len(rows), others) == (20, 20, {"files that are not photos": 1})
    for row in rows:
        image = torch.from_numpy(as_array(row["path"]))
        (expected,) = labels_of(model.probabilities(image), ("2", "3"))
        assert (row["label"], row["runner_up"]) == (expected.label, expected.runner_up)
        assert float(row["confidence"]) == pytest.approx(expected.confidence, abs=1e-5)
        both = float(row["confidence"]) + float(row["runner_up_confidence"])
        assert both == pytest.approx(1.0, abs=1e-5)
        assert row["agreement"] == ""
    skipped = rows_of(tmp_path / "labels.skipped.csv")
    names = [Path(row["path"]).name for row in skipped]
    assert sorted(names) == ["broken.png", "half.png"]
    assert "cannot be decoded" in skipped[0]["reason"]
    assert not (tmp_path / "labels.csv.parts").exists()


def test_paths_are_written_as_they_were_given(
    single: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photos.parent)
    items, _ = list_items(
        ["photos/a", "photos/b/c/000.png", str(photos / "a" / "001.png")], "photos"
    )
    paths = [item.path for item in items]
    # A file that is reached in two ways is labelled once.
    assert paths.count("photos/a/001.png") + paths.count(str(photos / "a" / "001.png")) == 1
    assert "photos/b/c/000.png" in paths


def test_members_agree_or_not(members: Path, photos: Path, as_array, tmp_path: Path) -> None:
    model, out = load_model_folder(members), tmp_path / "labels.parquet"
    items, _ = list_items([str(photos / "a")], "photos")
    label_files(model, items, out, 64, quiet)
    table = pq.read_table(out)
    assert tuple(table.column_names) == COLUMNS
    assert table.schema.metadata[b"gradmix.model"].decode() == model.digest
    for row in table.to_pylist():
        image = torch.from_numpy(as_array(row["path"]))
        each = model.probabilities(image)[:, 0]
        votes = ["23"[place] == row["label"] for place in each.argmax(1)]
        assert row["agreement"] == pytest.approx(sum(votes) / 3)
        assert row["confidence"] == pytest.approx(float(each.mean(0).max()), abs=1e-6)


def test_an_interrupted_command_goes_on_and_ends_with_the_same_table(
    single: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labelling, "EVERY_S", 0.0)
    model = load_model_folder(single)
    items, _ = list_items([str(photos)], "photos")
    whole, out = tmp_path / "whole.csv", tmp_path / "labels.csv"
    label_files(model, items, whole, 2, quiet)

    def stop(done: int, _total: int) -> None:
        if done >= 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        label_files(model, items, out, 2, stop)
    assert not out.exists()
    parts = tmp_path / "labels.csv.parts"
    # Damage to a finished part costs that part and those behind it.
    last = max(parts.glob("part-*"))
    last.write_bytes(last.read_bytes()[:100])
    found = label_files(model, items, out, 2, quiet)
    assert found.reused == 8
    assert out.read_bytes() == whole.read_bytes()
    assert (tmp_path / "labels.skipped.csv").exists()
    assert not parts.exists()


def test_parts_of_other_files_or_of_another_model_are_not_used(
    single: Path, members: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labelling, "EVERY_S", 0.0)
    items, _ = list_items([str(photos)], "photos")
    out = tmp_path / "labels.csv"

    def stop(done: int, _total: int) -> None:
        if done >= 4:
            raise KeyboardInterrupt

    for folder in (single, members):
        with pytest.raises(KeyboardInterrupt):
            label_files(load_model_folder(folder), items, out, 2, stop)
    changed = Path(items[0].path)
    changed.write_bytes(changed.read_bytes() + b"\0")
    assert label_files(load_model_folder(members), items, out, 2, quiet).reused == 0


def test_where_nothing_can_be_read_nothing_is_left(single: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bad"
    folder.mkdir()
    for name in ("a.png", "b.jpg"):
        (folder / name).write_bytes(b"no picture")
    items, _ = list_items([str(folder)], "photos")
    with pytest.raises(DataError, match="found 2 that cannot") as error:
        label_files(load_model_folder(single), items, tmp_path / "labels.csv", 3, quiet)
    assert "\n" not in str(error.value)
    assert [path.name for path in tmp_path.glob("labels*")] == []


@pytest.mark.parametrize("name", ["labels.txt", "labels", "nowhere/labels.csv"])
def test_a_table_that_cannot_be_written_is_refused_first(
    single: Path, tmp_path: Path, name: str
) -> None:
    with pytest.raises(DataError, match="--out: expected"):
        label_files(load_model_folder(single), [], tmp_path / name, 3, quiet)


def test_places_without_files_are_refused(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "none"):
        with pytest.raises(DataError, match="xpected"):
            list_items([str(place)], "photos")


def test_a_clip_is_the_mean_of_its_frames_as_training_stores_them(film, tmp_path: Path) -> None:
    images = ImageDescription(side=16, channels=3, media="clips", frames=3, every=None)
    clip = film(tmp_path / "clips" / "one.avi", frames=9, shade=100)
    (item,), _ = list_items([str(clip.parent)], "clips")
    assert item.media == "clips"
    found = decode_item(item, images).frames
    assert found is not None
    assert found.shape == (3, 16, 16, 3)
    wanted = [frame.pixels for frame in clip_frames(clip, Sampling(frames=3))]
    # 2 levels a frame, 3 frames apart.
    means = found.mean(axis=(1, 2, 3))
    assert np.diff(means) == pytest.approx([6, 6], abs=1)
    assert len(encode_jpeg(wanted[0], clip)) > 0


def test_photos_and_clips_are_told_apart_place_by_place(
    film, photos: Path, single: Path, tmp_path: Path
) -> None:
    film(tmp_path / "clips" / "one.avi", frames=9, shade=100)
    items, _ = list_items([str(photos / "a"), str(tmp_path / "clips")], "photos")
    assert {item.media for item in items} == {"photos", "clips"}
    found = label_files(load_model_folder(single), items, tmp_path / "labels.csv", 3, quiet)
    assert found.files == 11


def test_a_part_of_clips_averages_over_their_own_frames(film, single: Path, tmp_path: Path) -> None:
    for number in range(3):
        film(tmp_path / "clips" / f"{number}.avi", frames=5 + number, shade=40 * number)
    items, _ = list_items([str(tmp_path / "clips")], "clips")
    model, out = load_model_folder(single), tmp_path / "labels.parquet"
    label_files(model, items, out, 4, quiet)
    for item, row in zip(items, pq.read_table(out).to_pylist(), strict=True):
        frames = decode_item(item, model.description.images).frames
        mean = model.probabilities(torch.from_numpy(frames))[0].mean(0)
        assert row["confidence"] == pytest.approx(float(mean.max()), abs=1e-6)


def test_a_grey_model_reads_luminance() -> None:
    from PIL import Image

    picture = Image.new("RGB", (8, 8), (255, 0, 0))
    images: Any = ImageDescription(side=4, channels=1, media="photos", frames=None, every=None)
    # 299/1000 * 255 = 76.2
    assert as_read(picture, images).tolist() == np.full((4, 4, 1), 76).tolist()


def test_an_item_that_vanished_is_left_out(single: Path, photos: Path, tmp_path: Path) -> None:
    items, _ = list_items([str(photos / "a")], "photos")
    items = [*items, Item(path=str(photos / "gone.png"), media="photos")]
    found = label_files(load_model_folder(single), items, tmp_path / "labels.csv", 3, quiet)
    assert str(photos / "gone.png") in [row["path"] for row in found.skipped]
