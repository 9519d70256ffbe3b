import dataclasses
import hashlib
import io
import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from PIL import Image

from data.errors import DataError
from data.frames import chunks as frame_chunks
from data.frames import store as frame_store
from data.frames.chunks import Clip, encode_jpeg, extract_chunk
from data.frames.decode import clip_frames
from data.frames.sampling import Sampling
from data.frames.store import merge, open_frames
from tests.data.frames.clips import HEIGHT, WIDTH, cut, number_in, rewrite_packets, write_clip

FILES = ("frames.bin", "frames.parquet", "skipped.json")
THREE, FOURTH = Sampling(frames=3), Sampling(every=4)
# Frames of each clip, and the positions of three of them.
COUNTS = {"Run/a.avi": 20, "Run/b.avi": 7, "Sit/d.avi": 2, "Sit/h.avi": 12}
WANTED = {"Run/a.avi": [3, 10, 16], "Run/b.avi": [1, 3, 5], "Sit/d.avi": [0, 1]}
WANTED["Sit/h.avi"] = [2, 6, 10]
BROKEN = ("Run/c.avi", "Sit/e.avi", "Sit/f.avi", "Sit/g.avi")


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Eight clips: four of two classes, one truncated, one damaged, one empty, one a text file."""
    root = tmp_path_factory.mktemp("videos")
    (root / "Run").mkdir()
    (root / "Sit").mkdir()
    for name, count in COUNTS.items():
        write_clip(root / name, count)
    cut(write_clip(root / "Run/c.avi", 200), 0.4)
    damaged = rewrite_packets(
        write_clip(root / "damaged.avi", 20),
        lambda packets: [*packets[:9], b"#" * 99, *packets[10:]],
    )
    damaged.rename(root / "Sit/e.avi")
    (root / "Sit/f.avi").write_bytes(b"")
    (root / "Sit/g.avi").write_text("Not a video.\n" * 99)
    return root


@pytest.fixture
def clips():
    """All eight clips, by name."""
    names = sorted([*COUNTS, *BROKEN])
    return [
        Clip(path=name, label=name[:3], group=f"g{place // 2}", split="train")
        for place, name in enumerate(names)
    ]


@pytest.fixture
def stored(videos, clips, tmp_path):
    """A finished chunk and the store merged from it."""
    extract_chunk(videos, clips, tmp_path / "chunk", THREE)
    merge([tmp_path / "chunk"], tmp_path / "store")
    return tmp_path


def contents(folder, names=FILES):
    return {name: (folder / name).read_bytes() for name in names}


def test_the_manifest_names_every_frame_and_the_blob_holds_its_jpeg(videos, clips, stored):
    frame = pd.read_parquet(stored / "store/frames.parquet")
    blob = (stored / "store/frames.bin").read_bytes()
    expected = [(clip, i) for clip in clips for i in WANTED.get(clip.path, [])]
    assert list(frame.columns) == [
        *("clip", "class", "group", "split", "frame", "time_s", "digest"),
        *("offset", "bytes", "width", "height"),
    ]
    offset = 0
    for (clip, position), row in zip(expected, frame.itertuples(), strict=True):
        # pandas replaces a column name that is a keyword by its number.
        assert (row.clip, row._2, row.group, row.split) == (
            *(clip.path, clip.label, clip.group, clip.split),
        )
        assert (row.frame, row.time_s) == (position, pytest.approx(position / 25))
        assert (row.offset, row.width, row.height) == (offset, WIDTH, HEIGHT)
        content = blob[row.offset : row.offset + row.bytes]
        assert hashlib.sha256(content).hexdigest() == row.digest
        assert Image.open(io.BytesIO(content)).format == "JPEG"
        offset += row.bytes
    assert offset == len(blob)


def test_pictures_are_the_frames_but_for_what_jpeg_loses(videos, stored):
    store = open_frames(stored / "store")
    assert len(store) == 11
    assert list(store.manifest["frame"].to_pylist()) == [f for w in WANTED.values() for f in w]
    row = 0
    for name in COUNTS:
        for frame in clip_frames(videos / name, THREE):
            picture = store.picture(row)
            assert (picture.mode, picture.size) == ("RGB", (WIDTH, HEIGHT))
            pixels = np.asarray(picture, np.int64)
            assert number_in(pixels) == frame.index
            assert np.abs(pixels - frame.pixels).mean() < 2
            row += 1


def test_what_was_skipped_is_told_with_the_reason_and_counted(videos, clips, stored):
    summary = merge([stored / "chunk"], stored / "again")
    assert (summary.clips, summary.frames) == (8, 11)
    assert json.loads((stored / "again/skipped.json").read_text()) == list(summary.skipped)
    assert [entry["clip"] for entry in summary.skipped] == list(BROKEN)
    short, damaged, empty, text = [entry["reason"] for entry in summary.skipped]
    assert short.startswith("expected a complete clip, found packet ")
    assert damaged.startswith("expected a video clip, found an unreadable file (Invalid data")
    assert empty == text == damaged


def test_same_clips_give_same_bytes_however_they_are_divided(
    videos, clips, stored, tmp_path, monkeypatch
):
    expected = contents(stored / "store")
    for size in (1, 3, 5):
        chunks = []
        for start in range(0, len(clips), size):
            chunks.append(tmp_path / f"{size}_{start}")
            extract_chunk(videos, clips[start : start + size], chunks[-1], THREE)
        merge(chunks, tmp_path / f"merged_{size}")
        assert contents(tmp_path / f"merged_{size}") == expected
    # Row groups do not depend on the chunks either.
    monkeypatch.setattr(frame_store, "_ROWS", 4)
    merge(chunks, tmp_path / "small")
    merge([stored / "chunk"], tmp_path / "small_too")
    assert contents(tmp_path / "small") == contents(tmp_path / "small_too")
    with pq.ParquetFile(tmp_path / "small/frames.parquet") as file:
        groups = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    assert groups == [4, 4, 3]


CHUNK = ("frames.bin", "index.jsonl")


def ends_of_clips(folder):
    """Ends of the header and of each clip's line in the index, and of its JPEGs in the blob."""
    header, *lines = (folder / "index.jsonl").read_bytes().splitlines(keepends=True)
    places = [(len(header), 0)]
    for line in lines:
        size = sum(jpeg["bytes"] for jpeg in json.loads(line)["jpegs"])
        places.append((places[-1][0] + len(line), places[-1][1] + size))
    return places


def test_a_killed_extraction_goes_on_with_the_next_clip_and_ends_with_the_same_bytes(
    videos, clips, tmp_path, monkeypatch
):
    """Any part of the two files that a killed process or a lost disk cache leaves."""
    chunk, clips, decoded = tmp_path / "chunk", clips[:5], []
    extract_chunk(videos, clips, chunk, THREE)

    def recording(path, sampling):
        decoded.append(path.relative_to(videos).as_posix())
        return clip_frames(path, sampling)

    monkeypatch.setattr(frame_chunks, "clip_frames", recording)
    finished, ends = contents(chunk, CHUNK), ends_of_clips(chunk)
    index_sizes = {0} | {end + more for end, _ in ends for more in (-1, 0, 1, 40)}
    blob_sizes = {0} | {end + more for _, end in ends for more in (-1, 0, 1)}
    for index_size, blob_size in itertools.product(index_sizes, blob_sizes - {-1}):
        for name, size in zip(CHUNK, (blob_size, index_size), strict=True):
            (chunk / name).write_bytes((finished[name] + b"#" * 99)[:size])
        decoded.clear()
        extract_chunk(videos, clips, chunk, THREE)
        assert contents(chunk, CHUNK) == finished
        done = sum(index <= index_size and blob <= blob_size for index, blob in ends[1:])
        assert decoded == [clip.path for clip in clips[done:]]


def test_a_clip_is_in_the_files_as_soon_as_it_is_told(videos, clips, tmp_path):
    chunk = tmp_path / "chunk"

    def check(done):
        ends = ends_of_clips(chunk)
        assert len(ends) == done + 1
        assert (chunk / "frames.bin").stat().st_size == ends[-1][1]

    extract_chunk(videos, clips, chunk, THREE, check)


def test_an_interrupted_extraction_tells_how_far_it_is(videos, clips, tmp_path):
    told = []

    def stop_at_three(done):
        told.append(done)
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract_chunk(videos, clips, tmp_path / "chunk", THREE, stop_at_three)
    extract_chunk(videos, clips, tmp_path / "chunk", THREE, told.append)
    extract_chunk(videos, clips, tmp_path / "chunk", THREE, told.append)
    assert told == [1, 2, 3, 4, 5, 6, 7, 8]


def test_frames_of_a_clip_that_turns_out_to_be_damaged_are_taken_back(videos, clips, tmp_path):
    # Frames 0, 4 and 8 come before the damage. A second such clip must start at the right byte too.
    damaged = videos / "Sit/e.avi"
    assert next(clip_frames(damaged, FOURTH)).index == 0
    twice = [Clip(path="Sit/e.avi", label="", group=str(i), split="train") for i in range(2)]
    extract_chunk(videos, [clips[0], *twice, clips[1]], tmp_path / "with", FOURTH)
    extract_chunk(videos, clips[:2], tmp_path / "without", FOURTH)
    summary = merge([tmp_path / "with"], tmp_path / "store")
    assert (summary.frames, len(summary.skipped)) == (5 + 2, 2)
    assert contents(tmp_path / "with", ["frames.bin"]) == contents(
        tmp_path / "without", ["frames.bin"]
    )
    assert open_frames(tmp_path / "store").manifest["frame"].to_pylist() == [0, 4, 8, 12, 16, 0, 4]


def test_a_clip_that_is_gone_is_skipped_with_the_reason(videos, tmp_path):
    gone = [Clip(path=path, label="", group="", split="train") for path in ("no.avi", "Run")]
    extract_chunk(videos, gone, tmp_path / "chunk", THREE)
    summary = merge([tmp_path / "chunk"], tmp_path / "store")
    assert summary.frames == 0
    assert [entry["reason"] for entry in summary.skipped] == [
        f"expected a video clip, found an unreadable file ({reason}): replace or remove it."
        for reason in ("No such file or directory", "Is a directory")
    ]
    with pytest.raises(DataError, match="expected 0 bytes of JPEGs, at least one, found 0"):
        open_frames(tmp_path / "store")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_ends_the_extraction_and_is_no_fault_of_the_clip(videos, clips, tmp_path):
    chunk = tmp_path / "chunk"
    chunk.mkdir()
    (chunk / "frames.bin").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device"):
        extract_chunk(videos, clips, chunk, THREE)
    (chunk / "frames.bin").unlink()
    extract_chunk(videos, clips, chunk, THREE)
    assert merge([chunk], tmp_path / "store").frames == 11


def test_a_frame_too_large_for_jpeg_is_the_fault_of_the_clip(tmp_path):
    with pytest.raises(DataError, match="expected frames that can be stored as JPEG, found other"):
        encode_jpeg(np.zeros((1, 70_000, 3), np.uint8), tmp_path / "wide.avi")


def test_a_folder_of_other_clips_or_frames_is_not_gone_on_with(videos, clips, stored):
    before = contents(stored / "chunk", CHUNK)
    for others, sampling in ((clips, FOURTH), (clips[:-1], THREE), (clips[::-1], THREE)):
        with pytest.raises(DataError, match=r"clips or other settings: remove the folder\."):
            extract_chunk(videos, others, stored / "chunk", sampling)
    assert contents(stored / "chunk", CHUNK) == before


def change(path, old, new):
    body = path.read_bytes()
    assert old in body
    path.write_bytes(body.replace(old, new, 1))


def drop_last_line(path):
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))


DAMAGES = {
    "another byte": (
        lambda chunk: change(chunk / "frames.bin", b"\xff\xda", b"\xff\xdb"),
        "expected frame 3 of Run/a.avi, found other bytes",
    ),
    "bytes missing": (
        lambda chunk: cut(chunk / "frames.bin", 0.99),
        "expected frame 10 of Sit/h.avi, found other bytes",
    ),
    "no blob": (lambda chunk: (chunk / "frames.bin").unlink(), "found no frames.bin"),
    "no index": (lambda chunk: (chunk / "index.jsonl").unlink(), "found no index.jsonl"),
    "no header": (lambda chunk: (chunk / "index.jsonl").write_bytes(b"[]\n"), "found no index"),
    "not finished": (lambda chunk: drop_last_line(chunk / "index.jsonl"), "found 7 of 8 clips"),
    "half a line": (lambda chunk: cut(chunk / "index.jsonl", 0.99), "found 7 of 8 clips"),
    "another line": (
        lambda chunk: change(chunk / "index.jsonl", b'"clip"', b'"clap"'),
        "found a line that is not a clip",
    ),
    "another format": (
        lambda chunk: change(chunk / "index.jsonl", b'"format":1', b'"format":2'),
        "found format 2 instead of 1",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_chunk_that_is_damaged_or_not_finished_is_not_merged(stored, damage):
    harm, message = DAMAGES[damage]
    harm(stored / "chunk")
    with pytest.raises(DataError, match=message) as caught:
        merge([stored / "chunk"], stored / "store")
    assert str(caught.value).startswith(f"{stored / 'chunk'}: expected ")
    assert str(caught.value).endswith("remove the folder and extract again.")


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [("index.jsonl", b'"clip"', b'"clap"'), ("frames.bin", b"\xff\xd8", b"\xff\xd9")],
)
def test_what_a_power_failure_has_damaged_is_extracted_again(videos, clips, stored, name, old, new):
    before = {path.name: path.read_bytes() for path in (stored / "chunk").iterdir()}
    change(stored / "chunk" / name, old, new)
    extract_chunk(videos, clips, stored / "chunk", THREE)
    assert {path.name: path.read_bytes() for path in (stored / "chunk").iterdir()} == before


def test_frames_of_a_test_split_are_opened_by_those_alone_who_say_so(videos, clips, tmp_path):
    sealed = [dataclasses.replace(clip, split="test") for clip in clips]
    for name, some in (("open", clips), ("sealed", sealed)):
        extract_chunk(videos, some, tmp_path / name / "chunk", THREE)
        merge([tmp_path / name / "chunk"], tmp_path / name / "store")
    with pytest.raises(DataError, match="expected open frames, found sealed"):
        open_frames(tmp_path / "sealed" / "store")
    with pytest.raises(DataError, match="expected sealed frames, found open"):
        open_frames(tmp_path / "open" / "store", sealed=True)
    assert len(open_frames(tmp_path / "sealed" / "store", sealed=True)) > 0


def test_chunks_of_different_choices_do_not_go_together(videos, clips, stored):
    extract_chunk(videos, clips[:2], stored / "other", FOURTH)
    with pytest.raises(DataError, match=r"other: expected frames extracted with .*: remove the"):
        merge([stored / "chunk", stored / "other"], stored / "store")
    with pytest.raises(DataError, match="at least one chunk"):
        merge([], stored / "store")


def test_the_manifest_says_how_the_frames_were_chosen_and_stored(stored):
    metadata = pq.read_schema(stored / "store/frames.parquet").metadata
    assert json.loads(metadata[b"gradmix"]) == {
        "format": 1,
        "sampling": {"frames": 3, "every": None},
        "jpeg": [95, "4:2:0"],
    }


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda store: (store / "frames.bin").unlink(), "Expected the JPEGs of frames at"),
        (lambda store: cut(store / "frames.bin", 0.9), r"expected [\d,]+ bytes of JPEGs"),
        (lambda store: (store / "frames.parquet").unlink(), "Expected a Parquet file of frames"),
        (lambda store: cut(store / "frames.parquet", 0.9), "Expected a Parquet file of frames"),
    ],
)
def test_a_store_that_is_damaged_is_not_opened(stored, harm, message):
    harm(stored / "store")
    with pytest.raises(DataError, match=message) as caught:
        open_frames(stored / "store")
    assert "\n" not in str(caught.value)


def test_a_picture_of_other_bytes_is_not_given(stored):
    change(stored / "store/frames.bin", b"\xff\xda", b"\xff\xdb")
    store = open_frames(stored / "store")
    with pytest.raises(DataError, match="expected the frame of row 0 at byte 0, found other bytes"):
        store.picture(0)
    assert number_in(store.picture(1)) == 10
