"""Near-duplicate photos and clips."""

import numpy as np
import pytest
from PIL import Image

from data.listing import UNLABELLED, File, Listing
from data.near_duplicates import (
    NEAR,
    Hashes,
    correlation,
    near_duplicates,
    near_pairs,
    perceptual_hashes,
)
from tests.data.frames.clips import write_clip


@pytest.fixture
def place(tmp_path):
    """Store photos as listings of one folder each."""

    def store(folder, **photos):
        (tmp_path / folder).mkdir()
        for name, photo in photos.items():
            photo.save(tmp_path / folder / f"{name}.png")
        return listing(tmp_path / folder, [f"{name}.png" for name in photos])

    return store


def listing(root, paths):
    files = tuple(File(path=path, label=UNLABELLED, group=path) for path in paths)
    return Listing(root=root, files=files, classes=(), origin="", official=False)


def scene(seed):
    """Random blobs of colour, different for every seed."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((160, 120), Image.Resampling.BICUBIC)


def named(pairs):
    return [(pair.first.stem, pair.second.stem) for pair in pairs]


def test_copies_are_found_whatever_their_size_and_light(place):
    one, two, three = (scene(seed) for seed in range(3))
    first = place("first", one=one, two=two, three=three)
    lighter = two.point([min(255, value + 20) for value in range(256)] * 3)
    second = place("second", a=one.resize((80, 60)), b=lighter, c=scene(9), d=three.convert("L"))
    assert sorted(named(near_duplicates(first, second))) == [
        ("one", "a"),
        ("three", "d"),
        ("two", "b"),
    ]
    assert named(near_duplicates(second, first))[0][0] in "abd"


def test_scenes_that_differ_are_no_copies(place):
    first = place("first", **{f"p{seed}": scene(seed) for seed in range(20)})
    assert near_duplicates(first, first) == ()


def test_within_one_listing_each_pair_is_given_once(place):
    photos = place("first", one=scene(0), two=scene(1), again=scene(0))
    (pair,) = near_duplicates(photos, photos)
    assert (pair.distance, pair.first.stem, pair.second.stem) == (0, "one", "again")


def test_a_file_is_no_copy_of_itself_in_another_listing(place):
    photos = place("first", one=scene(0), two=scene(1))
    assert near_duplicates(photos, listing(photos.root, ["one.png"])) == ()


def test_files_that_cannot_be_decoded_are_listed(place):
    photos = place("first", one=scene(0))
    (photos.root / "bad.jpg").write_bytes(b"none")
    hashes = perceptual_hashes(listing(photos.root, ["bad.jpg", "one.png"]))
    assert (hashes.paths, hashes.broken, len(hashes.bits)) == (("one.png",), ("bad.jpg",), 1)


def test_clips_are_compared_by_their_middle_frames(tmp_path):
    write_clip(tmp_path / "a.avi", 9)
    write_clip(tmp_path / "b.mp4", 9)
    (tmp_path / "c.mp4").write_bytes(b"none")
    (pair,) = near_duplicates(listing(tmp_path, ["a.avi", "c.mp4"]), listing(tmp_path, ["b.mp4"]))
    assert (pair.first.name, pair.second.name) == ("a.avi", "b.mp4")


def test_the_distance_is_the_number_of_bits_that_differ(tmp_path):
    rng = np.random.default_rng(0)
    first, second = (
        Hashes(
            root=tmp_path / name,
            paths=tuple(str(place) for place in range(1500)),
            bits=rng.integers(0, 2**64, 1500, dtype=np.uint64),
            broken=(),
        )
        for name in ("a", "b")
    )
    most = 18
    want = sorted(
        (apart, str(i), str(j))
        for i, one in enumerate(first.bits.tolist())
        for j, other in enumerate(second.bits.tolist())
        if (apart := (one ^ other).bit_count()) <= most
    )
    found = near_pairs(first, second, most)
    assert sorted((pair.distance, pair.first.name, pair.second.name) for pair in found) == want
    assert len(want) > 10
    assert [pair.distance for pair in found] == sorted(pair.distance for pair in found)
    assert near_pairs(first, second, NEAR) == ()


def test_grey_values_tell_copies_from_pictures_that_only_resemble(tmp_path):
    rough = np.random.default_rng(0).integers(0, 200, (6, 6, 3), np.uint8)
    first = Image.fromarray(rough).resize((96, 96), Image.Resampling.BICUBIC)
    first.save(tmp_path / "a.png")
    first.resize((48, 48)).point(lambda value: value * 1.2).save(tmp_path / "b.jpg", quality=50)
    Image.fromarray(255 - np.asarray(first)).save(tmp_path / "c.png")
    Image.new("RGB", (40, 40), "grey").save(tmp_path / "d.png")
    (tmp_path / "e.png").write_text("no photo")
    found = {name: correlation(tmp_path / "a.png", tmp_path / name) for name in ("a.png", "b.jpg")}
    assert found["a.png"] == pytest.approx(1.0)
    assert found["b.jpg"] > 0.98
    assert correlation(tmp_path / "a.png", tmp_path / "c.png") == pytest.approx(-1.0, abs=0.01)
    assert correlation(tmp_path / "a.png", tmp_path / "d.png") == 0.0
    assert correlation(tmp_path / "a.png", tmp_path / "e.png") == 0.0
