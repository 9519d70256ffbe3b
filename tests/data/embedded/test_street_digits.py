import numpy as np
import pytest

from data.embedded.street_digits import FONTS, StreetReader, _glyph, draw_street_digits
from data.errors import DataError

READER = StreetReader()


@pytest.fixture(scope="module")
def test_split():
    return READER.read(None, "test")


def test_every_class_is_drawn_equally_often(test_split):
    assert test_split.images.shape == (1000, 32, 32, 1)
    assert test_split.images.dtype == np.uint8
    assert np.bincount(test_split.labels).tolist() == [100] * 10


def test_classes_come_in_mixed_order(test_split):
    assert len(np.unique(test_split.labels[:50])) == 10


def test_reading_twice_gives_the_same_bytes(test_split):
    again = READER.read(None, "test")
    assert again.images.tobytes() == test_split.images.tobytes()
    assert again.labels.tobytes() == test_split.labels.tobytes()


def test_the_splits_share_no_image(test_split, monkeypatch):
    monkeypatch.setattr("data.embedded.street_digits.PER_CLASS", {"train": 100, "test": 100})
    train = {image.tobytes() for image in READER.read(None, "train").images}
    assert len(train) == 1000
    assert not train & {image.tobytes() for image in test_split.images}


def test_the_training_split_is_six_thousand():
    from data.embedded.street_digits import PER_CLASS

    assert PER_CLASS == {"train": 600, "test": 100}


def test_the_digit_that_is_drawn_is_the_label():
    # Digits at the sides must not be mistaken for the label: a nearest-neighbour vote far above
    # chance (.1) needs the label's shape in the middle.
    rng = np.random.default_rng(5)
    labels = np.arange(1500) % 10
    grey = draw_street_digits(labels, rng).mean(3)[:, 3:29, 8:24].reshape(1500, -1)
    grey -= grey.mean(1, keepdims=True)
    dark = np.abs(grey / grey.std(1, keepdims=True))
    from sklearn.neighbors import KNeighborsClassifier

    model = KNeighborsClassifier(5, metric="cosine").fit(dark[:1200], labels[:1200])
    assert model.score(dark[1200:], labels[1200:]) > 0.25


@pytest.mark.parametrize("font", FONTS)
def test_every_font_draws_ten_different_digits(font):
    masks = {np.asarray(_glyph(font, digit).resize((20, 40))).tobytes() for digit in range(10)}
    assert len(masks) == 10


def test_ink_may_be_darker_or_lighter_than_the_ground():
    rng = np.random.default_rng(0)
    ones = draw_street_digits(np.ones(200, int), rng).mean(3)
    difference = ones[:, 10:22, 14:18].mean((1, 2)) - ones[:, 0:2].mean((1, 2))
    assert 0.25 < (difference > 0).mean() < 0.75


def test_light_and_colours_vary_as_in_photographs(test_split):
    means = test_split.images.mean((1, 2, 3))
    contrast = test_split.images.std((1, 2, 3))
    # SVHN: means 117 +- 45; contrast 16 to 56 between the 5th and the 95th percentile.
    assert means.std() > 35
    assert np.percentile(contrast, 5) < 16
    assert np.percentile(contrast, 95) > 35


def test_it_has_no_files_and_no_download(tmp_path):
    assert READER.files(None, "test") == ()
    with pytest.raises(DataError, match="found 'street', which is embedded"):
        READER.download(tmp_path)
