import dataclasses
import json

import numpy as np
import pytest
import torch

from data.errors import DataError
from data.reader import RawImages, Samples
from data.sealed import open_sealed_test
from data.tables.image_set import load_prepared
from data.tables.prepared import save_prepared


@pytest.fixture
def raw():
    rng = np.random.default_rng(0)
    return RawImages(
        images=rng.integers(0, 256, (6, 4, 5, 1), dtype=np.uint8),
        labels=np.array([0, 1, 2, 0, 1, 2]),
        classes=("a", "b", "ç"),
        origin="six small images",
        official=False,
    )


def test_a_loaded_set_equals_what_was_saved(raw, tmp_path):
    save_prepared(raw, tmp_path / "new" / "set", sealed=False)
    loaded = load_prepared(tmp_path / "new" / "set")
    assert np.array_equal(loaded.images.numpy(), raw.images)
    assert loaded.labels.tolist() == raw.labels.tolist()
    assert (loaded.images.dtype, loaded.labels.dtype) == (torch.uint8, torch.int64)
    assert (loaded.classes, loaded.origin, len(loaded)) == (raw.classes, raw.origin, 6)


def test_the_images_are_private_and_channels_last_for_free(raw, tmp_path):
    save_prepared(raw, tmp_path, sealed=False)
    images = load_prepared(tmp_path).images
    view = images.permute(0, 3, 1, 2)
    assert images.is_contiguous()
    assert view.is_contiguous(memory_format=torch.channels_last)
    assert view.data_ptr() == images.data_ptr()
    before = (tmp_path / "images.npy").read_bytes()
    images[0, 0, 0, 0] += 1
    assert (tmp_path / "images.npy").read_bytes() == before


def test_the_same_set_gives_the_same_bytes(raw, tmp_path):
    strided = RawImages(
        images=np.asfortranarray(raw.images),
        labels=raw.labels,
        classes=raw.classes,
        origin=raw.origin,
        official=False,
    )
    for name, one in (("first", raw), ("second", strided)):
        save_prepared(one, tmp_path / name, sealed=False)
    for path in sorted((tmp_path / "first").iterdir()):
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes()


def test_the_files_are_those_that_the_format_names(raw, tmp_path):
    save_prepared(raw, tmp_path, sealed=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "images.npy",
        "labels.npy",
        "manifest.json",
    ]
    assert json.loads((tmp_path / "manifest.json").read_text()) == {
        "format": 1,
        "sealed": True,
        "rows": 6,
        "classes": ["a", "b", "ç"],
        "origin": "six small images",
        "official": False,
    }


SAMPLES = Samples(
    names=("a.jpg", "c.avi#0", "c.avi#9", "d.avi#0", "d.avi#9", "é.png"),
    clips=("a.jpg", "c.avi", "c.avi", "d.avi", "d.avi", "é.png"),
    groups=("a.jpg", "g1", "g1", "g1", "g1", "é.png"),
)


def test_names_clips_and_groups_come_back(raw, tmp_path):
    save_prepared(dataclasses.replace(raw, samples=SAMPLES), tmp_path, sealed=False)
    samples = load_prepared(tmp_path).samples
    assert samples == SAMPLES
    assert samples.clip_numbers.tolist() == [0, 1, 1, 2, 2, 3]
    assert samples.group_numbers.tolist() == [0, 1, 1, 1, 1, 2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"names": SAMPLES.names[1:]}, r"for each of 6 rows, found \(5, 6, 6\)"),
        ({"names": ("a",) * 6}, "and 1 distinct names"),
        ({"groups": ("a", "g1", "g2", "g1", "g1", "e")}, "found 5 pairs for 4 clips"),
    ],
)
def test_names_clips_and_groups_belong_together(raw, change, message):
    with pytest.raises(DataError, match=message):
        dataclasses.replace(raw, samples=dataclasses.replace(SAMPLES, **change))


def test_images_that_were_written_to_their_place_are_not_written_again(raw, tmp_path):
    np.save(tmp_path / "images.npy", raw.images)
    before = (tmp_path / "images.npy").stat()
    save_prepared(raw, tmp_path, sealed=False, stored=True)
    after = (tmp_path / "images.npy").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert np.array_equal(load_prepared(tmp_path).images.numpy(), raw.images)


def test_feature_maps_are_a_set_too(raw, tmp_path):
    maps = raw.images.astype(np.float16) / 3
    save_prepared(dataclasses.replace(raw, images=maps), tmp_path, sealed=False)
    assert np.array_equal(load_prepared(tmp_path).images.numpy(), maps)
    with pytest.raises(DataError, match="found float32"):
        dataclasses.replace(raw, images=maps.astype(np.float32))


def test_a_sealed_set_is_not_loaded_as_an_open_one(raw, tmp_path):
    save_prepared(raw, tmp_path, sealed=True)
    with pytest.raises(DataError, match=r"Expected an open data set in .*found a sealed one"):
        load_prepared(tmp_path)


def test_the_evaluation_stage_opens_a_sealed_set(raw, tmp_path):
    save_prepared(raw, tmp_path, sealed=True)
    assert np.array_equal(open_sealed_test(tmp_path).images.numpy(), raw.images)


def test_an_open_set_does_not_pass_for_a_sealed_one(raw, tmp_path):
    save_prepared(raw, tmp_path, sealed=False)
    with pytest.raises(DataError, match=r"Expected a sealed data set in .*found an open one"):
        open_sealed_test(tmp_path)


@pytest.mark.parametrize("name", ["images.npy", "labels.npy", "manifest.json"])
@pytest.mark.parametrize("damage", ["missing", "empty", "half", "noise"])
def test_a_missing_or_damaged_file_is_one_line(raw, tmp_path, name, damage):
    save_prepared(raw, tmp_path, sealed=False)
    path = tmp_path / name
    body = path.read_bytes()
    path.unlink()
    if damage != "missing":
        path.write_bytes(
            {"empty": b"", "half": body[: len(body) // 2], "noise": b"\xff" * 99}[damage]
        )
    with pytest.raises(DataError, match="prepare it again") as caught:
        load_prepared(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "expected format 1, found 2"),
        ({"rows": 7}, "expected 7 rows as in manifest.json, found 6"),
        ({"classes": ["a"]}, r"expected labels in 0\.\.0, found 0\.\.2"),
        ({"extra": 1}, "missing or damaged"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(raw, tmp_path, change, message):
    save_prepared(raw, tmp_path, sealed=False)
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DataError, match=message):
        load_prepared(tmp_path)


def test_arrays_of_pickled_objects_are_not_loaded(raw, tmp_path):
    save_prepared(raw, tmp_path, sealed=False)
    np.save(tmp_path / "labels.npy", np.array([{}] * 6, dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="prepare it again"):
        load_prepared(tmp_path)
