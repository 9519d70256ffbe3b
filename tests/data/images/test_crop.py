"""Square crops of photos and frames."""

import numpy as np
import pytest
from PIL import Image

from data.errors import DataError
from data.images.crop import read_photo, square


def striped(width, height):
    """Red, green and blue thirds from left to right, which show where a crop is from."""
    pixels = np.zeros((height, width, 3), np.uint8)
    for channel in range(3):
        pixels[:, channel * width // 3 : (channel + 1) * width // 3, channel] = 255
    return pixels


def test_the_middle_square_is_kept():
    found = square(Image.fromarray(striped(96, 32)), 32)
    assert found.shape == (32, 32, 3)
    assert found.dtype == np.uint8
    assert (found == (0, 255, 0)).all()


def test_a_tall_picture_loses_top_and_bottom():
    tall = striped(96, 32).transpose(1, 0, 2)
    assert (square(Image.fromarray(np.ascontiguousarray(tall)), 32) == (0, 255, 0)).all()


def test_a_square_of_the_right_size_stays_as_it_is():
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    assert np.array_equal(square(Image.fromarray(pixels), 16), pixels)


def test_scaling_down_averages_rather_than_picks():
    board = np.indices((64, 64)).sum(0) % 2 * 255
    found = square(Image.fromarray(board.astype(np.uint8)), 8)
    assert abs(found.astype(int) - 127).max() <= 2


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1"])
def test_a_picture_of_any_mode_has_three_channels(mode):
    assert square(Image.new(mode, (20, 10)), 4).shape == (4, 4, 3)


@pytest.mark.parametrize("name", ["photo.jpg", "photo.png", "photo.PNG", "photo.webp", "photo.gif"])
def test_a_photo_is_read_whatever_its_format(tmp_path, name):
    Image.new("RGB", (40, 30), (200, 10, 10)).save(tmp_path / name)
    found = read_photo(tmp_path / name, 8).astype(int)
    assert abs(found - (200, 10, 10)).max() <= 8


def test_a_photo_is_turned_as_its_camera_says(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    tall = Image.fromarray(np.ascontiguousarray(striped(96, 96)))
    tall.save(tmp_path / "turned.png", exif=exif)
    found = read_photo(tmp_path / "turned.png", 96)
    assert (found[0] == (255, 0, 0)).all()
    assert (found[-1] == (0, 0, 255)).all()


@pytest.mark.parametrize("content", [b"", b"text", None, "half"])
def test_a_damaged_photo_is_one_line(tmp_path, content):
    path = tmp_path / "photo.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (99, 99, 3), np.uint8)).save(path)
    if content is None:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:2000] if content == "half" else content)
    with pytest.raises(DataError, match=r"Expected a photo at .*: replace or remove it") as caught:
        read_photo(path, 8)
    assert "\n" not in str(caught.value)
