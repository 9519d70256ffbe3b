import numpy as np
import pytest

from data.errors import DataError
from data.images.pixels import luminance, zero_pad


def test_luminance_has_the_weights_of_itu_r_601():
    # 255 * .299 = 76.245, 255 * .587 = 149.685, 255 * .114 = 29.07
    colours = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]], np.uint8)
    assert luminance(colours).tolist() == [76, 150, 29, 255]


def test_luminance_rounds_halves_up():
    # 299 * 1 + 587 * 2 + 114 * 18 = 3525 -> 3.525 -> 4;  299 * 5 + 587 * 7 + 114 * 8 = 6516 -> 7
    # 299 * 0 + 587 * 0 + 114 * 250 = 28500 -> 28.5 -> 29
    colours = np.array([[1, 2, 18], [5, 7, 8], [0, 0, 250]], np.uint8)
    assert luminance(colours).tolist() == [4, 7, 29]


def test_luminance_of_grey_is_that_grey():
    grey = np.arange(256, dtype=np.uint8)
    assert np.array_equal(luminance(np.stack([grey] * 3, axis=-1)), grey)


def test_luminance_wants_the_channels_last():
    with pytest.raises(DataError, match="put the colour channels last"):
        luminance(np.zeros((3, 32, 32), np.uint8))


def test_luminance_wants_bytes():
    with pytest.raises(DataError, match=r"Expected uint8 \[..., 3\] RGB pixels, found float64"):
        luminance(np.zeros((2, 3)))


def test_padding_puts_the_image_in_the_middle_of_black():
    padded = zero_pad(np.full((2, 28, 28), 9, np.uint8))
    assert padded.shape == (2, 32, 32, 1)
    assert (padded[:, 2:30, 2:30] == 9).all()
    assert padded.sum() == 2 * 28 * 28 * 9
