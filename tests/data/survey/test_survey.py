"""Photos and clips in figures, and copies among them."""

import numpy as np
import pytest
from PIL import Image

from data.digest_cache import KnownDigests
from data.readers.own_files import list_labelled, list_unlabelled
from data.survey.copies import contents, hashed, in_both, in_two_classes, look_alikes
from data.survey.headers import read_headers, undecodable
from data.survey.summary import class_counts, spread, summarise


def photo(path, size=(20, 12), seed=0, kind="PNG"):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(pixels).save(path, kind)
    return path


@pytest.fixture
def listing(tmp_path):
    """Two cats, one of them a JPEG, and a larger dog."""
    photo(tmp_path / "a" / "cat" / "1.png", (20, 12), 1)
    photo(tmp_path / "a" / "cat" / "2.jpg", (30, 40), 2, "JPEG")
    photo(tmp_path / "a" / "dog" / "3.png", (64, 48), 3)
    return list_labelled(tmp_path / "a")


def test_a_header_tells_size_and_format_whatever_the_suffix(tmp_path):
    made = photo(tmp_path / "really.jpg", (20, 12))
    (header,) = read_headers([made], "photos")
    assert (header.width, header.height, header.format, header.side) == (20, 12, "PNG", 12)
    assert header.problem == ""


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"", "it is empty"), (b"no photo", "cannot identify"), (None, "there is no such file")],
)
def test_an_unreadable_file_has_a_reason_without_its_path(tmp_path, content, why):
    path = tmp_path / "1.jpg"
    if content is not None:
        path.write_bytes(content)
    (header,) = read_headers([path], "photos")
    assert header.problem.startswith(why)
    assert str(tmp_path) not in header.problem


def test_a_photo_that_is_cut_off_has_a_header_and_cannot_be_decoded(tmp_path):
    whole = photo(tmp_path / "1.png", (200, 200)).read_bytes()
    (tmp_path / "1.png").write_bytes(whole[: len(whole) // 2])
    assert not read_headers([tmp_path / "1.png"], "photos")[0].problem
    (broken,) = undecodable([tmp_path / "1.png"], "photos")
    assert broken.problem


def test_a_summary_counts_classes_sizes_and_formats(listing):
    found = summarise(listing, "photos", headers=100, decoded=100)
    assert (found.files, found.looked_at) == (3, 3)
    assert found.counts == {"cat": 2, "dog": 1}
    sizes = found.sizes
    assert (sizes.smallest, sizes.median, sizes.largest) == ((20, 12), (30, 40), (64, 48))
    assert found.formats == {"PNG": 2, "JPEG": 1}
    assert found.broken == ()
    assert [header.side for header in found.small] == [12, 30, 48]


def test_a_sample_is_spread_evenly_and_whole_where_there_are_few(tmp_path):
    for number in range(10):
        photo(tmp_path / "u" / f"{number}.png", seed=number)
    found = list_unlabelled([tmp_path / "u"])
    assert [file.path for file in spread(found, 3).files] == ["0.png", "3.png", "6.png"]
    assert spread(found, 10) is found
    assert class_counts(found) == {}
    assert summarise(found, "photos", headers=4).looked_at == 4


def test_the_same_bytes_are_found_in_two_classes_and_in_two_listings(tmp_path, listing):
    known = KnownDigests()
    before = contents(listing, known)
    assert in_two_classes(before) is None
    first = tmp_path / "a" / "cat" / "1.png"
    (tmp_path / "a" / "dog" / "copy.png").write_bytes(first.read_bytes())
    (tmp_path / "a" / "cat" / "twin.png").write_bytes(first.read_bytes())
    copies = in_two_classes(contents(list_labelled(tmp_path / "a"), known))
    assert (copies.count, copies.second.name) == (1, "copy.png")
    photo(tmp_path / "u" / "x.png", seed=9)
    (tmp_path / "u" / "y.png").write_bytes(first.read_bytes())
    unlabelled = contents(list_unlabelled([tmp_path / "u"]), known)
    assert in_both(unlabelled, before).first == tmp_path / "u" / "y.png"
    assert in_both(before, unlabelled).count == 1


def test_pictures_that_look_the_same_are_found_and_the_same_bytes_are_not(tmp_path):
    known = KnownDigests()
    for folder in ("a/cat", "a/dog", "u"):
        (tmp_path / folder).mkdir(parents=True)
    for name, seed in (("cat", 1), ("dog", 2)):
        rough = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
        large = Image.fromarray(rough).resize((96, 96), Image.Resampling.BICUBIC)
        large.save(tmp_path / "a" / name / "1.png")
        if name == "cat":
            large.save(tmp_path / "u" / "same.png")
            large.resize((64, 64)).save(tmp_path / "u" / "small.png")
            large.resize((80, 80)).save(tmp_path / "a" / "dog" / "wrong.png")
    labelled, unlabelled = list_labelled(tmp_path / "a"), list_unlabelled([tmp_path / "u"])
    mine, others = hashed(labelled, 100), hashed(unlabelled, 100)
    copies = look_alikes(others, mine, known)
    # `same.png` looks like `wrong.png` as well.
    assert copies.count == 2
    label = {labelled.root / file.path: file.label for file in labelled.files}
    across = look_alikes(mine, mine, known, apart=label)
    assert (across.count, across.first.name, across.second.name) == (1, "1.png", "wrong.png")
