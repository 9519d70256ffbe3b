"""Files with random damage are either read or give a one-line error.

The slow tests run `GRADMIX_MUTATIONS` of each kind, the default ones a few. Damage is determined by
a seed, which a failure reports.
"""

import gzip
import io
import os
import struct
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import scipy.io
from PIL import Image

from data.errors import DataError, ProblemsError
from data.frames.decode import clip_frames
from data.frames.sampling import Sampling
from data.images.crop import read_photo
from data.reader import RawImages
from data.readers.file_table import read_file_table
from data.readers.mnist import MnistReader
from data.readers.svhn import SvhnReader
from data.tables.image_set import load_prepared
from data.tables.prepared import save_prepared
from tests.data.frames.clips import write_clip

FEW, MANY = 12, int(os.environ.get("GRADMIX_MUTATIONS", "1000"))


def cut(body, rng):
    return body[: int(rng.integers(len(body)))]


def flip(body, rng):
    for place in rng.integers(len(body), size=rng.integers(1, 9)):
        body[place] ^= 1 << int(rng.integers(8))
    return body


def scramble(body, rng):
    start = int(rng.integers(len(body)))
    length = int(rng.integers(1, 65))
    body[start : start + length] = rng.bytes(len(body[start : start + length]))
    return body


def drop(body, rng):
    start = int(rng.integers(len(body)))
    del body[start : start + int(rng.integers(1, 257))]
    return body


def repeat(body, rng):
    start, length = int(rng.integers(len(body))), int(rng.integers(1, 257))
    body[start:start] = body[start : start + length]
    return body


def extreme(body, rng):
    """Replace a number in the file by the largest, the smallest or 0, in either byte order."""
    form, most = [("<I", 2**32), (">I", 2**32), ("<H", 2**16), (">H", 2**16)][rng.integers(4)]
    packed = struct.pack(form, [0, 1, most // 2 - 1, most // 2, most - 1][rng.integers(5)])
    start = int(rng.integers(min(len(body), 256)))
    body[start : start + len(packed)] = packed
    return body


KINDS = (cut, flip, scramble, drop, repeat, extreme)


def damaged(content, seed):
    rng = np.random.default_rng(seed)
    body = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        if body:
            body = KINDS[rng.integers(len(KINDS))](body, rng)
    return bytes(body)


def survive(content, use, path, count):
    """Read `count` damaged copies of a file; return how many could be read."""
    read = 0
    for seed in range(count):
        path.write_bytes(damaged(content, seed))
        try:
            use(path)
            read += 1
        except Exception as error:
            lines = error.problems if isinstance(error, ProblemsError) else (str(error),)
            if not isinstance(error, DataError) or any("\n" in line for line in lines):
                raise AssertionError(f"{path.name}, seed {seed}: {error!r}") from error
    return read


PHOTOS = [
    "jpg",
    "png",
    "gif",
    "webp",
    "tif",
    "bmp",
    "ppm",
    "jp2",
    "avif",
    "tga",
    "pcx",
    "ico",
    "qoi",
]


def photo(suffix):
    rng = np.random.default_rng(1)
    small = Image.fromarray(rng.integers(0, 256, (4, 5, 4), dtype=np.uint8)).resize((50, 40))
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "A maker of cameras"
    file = io.BytesIO()
    form = Image.registered_extensions()[f".{suffix}"]
    picture = small if suffix in ("png", "webp", "tif") else small.convert("RGB")
    options = {"exif": exif} if suffix in ("jpg", "png", "webp", "tif", "avif") else {}
    picture.save(file, form, **options)
    return file.getvalue()


def use_photo(path):
    found = read_photo(path, 16)
    assert found.shape == (16, 16, 3)
    assert found.dtype == np.uint8


def photos(tmp_path, count):
    Image.init()
    each = -(-count // len(PHOTOS))
    return sum(survive(photo(kind), use_photo, tmp_path / f"a.{kind}", each) for kind in PHOTOS)


CLIPS = [("avi", "mpeg4", 2), ("mp4", "mpeg4", 0), ("mkv", "ffv1", 0), ("mpg", "mpeg2video", 2),
         ("ts", "mpeg2video", 0), ("mov", "mjpeg", 0)]  # fmt: skip


def use_clip(path):
    times = []
    for frame in clip_frames(path, Sampling(every=1)):
        assert frame.pixels.ndim == 3
        times.append(frame.time_s)
    assert times == sorted(set(times))
    list(clip_frames(path, Sampling(frames=3)))


def clips(tmp_path, count):
    read = 0
    for suffix, codec, b_frames in CLIPS:
        form = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        path = write_clip(tmp_path / f"a.{suffix}", 9, codec, pixel_format=form, b_frames=b_frames)
        read += survive(path.read_bytes(), use_clip, path, -(-count // len(CLIPS)))
    return read


def idx(tmp_path, count):
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    images = struct.pack(">4I", 0x803, 9, 28, 28) + bytes(range(256)) * 27 + bytes(144)
    labels = struct.pack(">2I", 0x801, 9) + bytes(range(9))
    for name, content in (("images-idx3", images), ("labels-idx1", labels)):
        (folder / f"train-{name}-ubyte").write_bytes(content)

    def use(_path):
        MnistReader().read(tmp_path, "train")

    plain, packed = folder / "train-images-idx3-ubyte", folder / "train-images-idx3-ubyte.gz"
    third = -(-count // 3)
    read = survive(labels, use, folder / "train-labels-idx1-ubyte", third)
    (folder / "train-labels-idx1-ubyte").write_bytes(labels)
    read += survive(images, use, plain, third)
    plain.unlink()
    return read + survive(gzip.compress(images), use, packed, third)


def mat(tmp_path, count):
    rng = np.random.default_rng(0)
    content = {
        "X": rng.integers(0, 256, (32, 32, 3, 5), dtype=np.uint8),
        "y": np.arange(1, 6)[:, None],
    }
    path, read = tmp_path / "train_32x32.mat", 0
    for packed in (False, True):
        scipy.io.savemat(path, content, do_compression=packed)
        use = lambda _path: SvhnReader().read(tmp_path, "train")  # noqa: E731
        read += survive(path.read_bytes(), use, path, -(-count // 2))
    return read


ROWS = {
    "path": ["a.jpg", "b.jpg", "c.jpg"],
    "label": ["cat", "d\u00f6g", "cat"],
    "group": ["1", "", "2"],
}


def use_table(path):
    rows, missing = read_file_table(path, labelled=True, partial=True)
    assert rows
    assert missing >= 0


def tables(tmp_path, count, suffix):
    for name in ROWS["path"]:
        (tmp_path / name).touch()
    path, table = tmp_path / f"t.{suffix}", pd.DataFrame(ROWS)
    if suffix == "parquet":
        table.to_parquet(path)
    else:
        table.to_csv(path, index=False)
    return survive(path.read_bytes(), use_table, path, count)


def prepared(tmp_path, count):
    raw = RawImages(
        images=np.zeros((4, 3, 3, 1), np.uint8),
        labels=np.array([0, 1, 1, 0]),
        classes=("a", "b"),
        origin="x",
        official=False,
    )
    save_prepared(raw, tmp_path, sealed=False)
    read = 0
    for path in sorted(tmp_path.iterdir()):
        whole = path.read_bytes()
        read += survive(whole, lambda _path: load_prepared(tmp_path), path, -(-count // 2))
        path.write_bytes(whole)
    return read


SERIES: dict[str, Callable] = {
    "photos": photos,
    "clips": clips,
    "idx": idx,
    "mat": mat,
    "csv": lambda place, count: tables(place, count, "csv"),
    "parquet": lambda place, count: tables(place, count, "parquet"),
    "prepared": prepared,
}


@pytest.mark.parametrize("kind", SERIES)
def test_damaged_files_are_read_or_refused_in_one_line(tmp_path, kind):
    SERIES[kind](tmp_path, FEW)


@pytest.mark.slow
@pytest.mark.parametrize("kind", SERIES)
def test_a_thousand_damaged_files_are_read_or_refused_in_one_line(tmp_path, kind):
    # If all or none of the copies could be read, the damage would test nothing.
    assert 0 < SERIES[kind](tmp_path, MANY) < MANY
