"""Frames of a chunk of clips: a folder that one process fills clip by clip, and can resume.

It has the concatenated JPEGs and an index: a header line with the settings, then a line per
finished clip. A clip's JPEGs are written before its line, so wherever the process was killed,
everything in the index exists, and anything beyond it is cut off.
"""

import contextlib
import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image

from data.counting import counted
from data.errors import DataError, one_line
from data.fingerprint import canonical_json, digest_json, sha256_bytes
from data.frames.decode import clip_frames
from data.frames.sampling import Sampling
from data.frames.upright import Pixels

CLIPS_PER_CHUNK = 64
BLOB, INDEX = "frames.bin", "index.jsonl"
FORMAT_VERSION = 1
# Nearly all clips store colour at half the resolution: at 4:4:4 their frames would take 21 % more
# bytes and 39 % more time for 2 dB (44.2 to 46.3 dB, UCF101 at quality 95).
QUALITY, SUBSAMPLING = 95, "4:2:0"


@dataclass(frozen=True, kw_only=True)
class Clip:
    """A clip to extract frames from.

    Attributes:
        path: path relative to the root of the data set, with `/`; identifies the clip everywhere.
        label: name of the class; "" if unknown.
        group: name of the group; clips of one group were cut from one recording.
        split: "train" or "test".
    """

    path: str
    label: str
    group: str
    split: str


@dataclass(frozen=True, kw_only=True)
class Jpeg:
    """One stored frame: its position and time in the clip, and its JPEG's SHA-256 and sizes."""

    frame: int
    time_s: float
    digest: str
    bytes: int
    width: int
    height: int


@dataclass(frozen=True, kw_only=True)
class Extracted:
    """A processed clip.

    Attributes:
        clip: the clip.
        jpegs: frames in display order; empty if it was skipped.
        reason: why it was skipped; empty if it was not.
    """

    clip: Clip
    jpegs: tuple[Jpeg, ...]
    reason: str

    @property
    def size(self) -> int:
        """Total size of the JPEGs, in bytes."""
        return sum(jpeg.bytes for jpeg in self.jpegs)


def extract_chunk(
    root: Path,
    clips: Sequence[Clip],
    folder: Path,
    sampling: Sampling,
    on_clip: Callable[[int], None] = lambda _: None,
) -> None:
    """Extract the frames of some clips into a folder, resuming after the last finished clip.

    A clip that cannot be read is skipped and its reason recorded; it is not tried again.

    Args:
        root: folder that the clips' paths are relative to.
        clips: clips in the order of the result.
        folder: folder for these clips only, created if needed. No other process may write there.
        sampling: which frames to extract.
        on_clip: called with the number of finished clips after each clip.

    Raises:
        DataError: if the folder contains other clips or frames.
        OSError: if the folder cannot be written to, for example because the disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    done = _resume(folder, _line(_header(clips, sampling)))
    with (folder / BLOB).open("ab") as blob, (folder / INDEX).open("ab") as index:
        for place in range(done, len(clips)):
            extracted = _extract(root, clips[place], sampling, blob)
            blob.flush()
            index.write(_line(asdict(extracted)))
            index.flush()
            on_clip(place + 1)


def read_settings(folder: Path) -> str:
    """Settings a chunk was extracted with, as JSON; equal for chunks of the same extraction.

    Raises:
        DataError: if the index is missing or damaged.
    """
    header = _read_header(folder)
    return canonical_json({key: header[key] for key in header if key not in ("clips", "digest")})


def read_chunk(folder: Path) -> Iterator[Extracted]:
    """Iterate over the clips of a finished chunk.

    Raises:
        DataError: if the chunk is not finished, or its index is missing or damaged.
    """
    expected = _read_header(folder)["clips"]
    clips = 0
    for extracted, _ in _finished(folder):
        clips += 1
        yield extracted
    if clips != expected:
        raise _damaged(folder, f"{clips} of {counted(expected, 'clip')}")


def _header(clips: Sequence[Clip], sampling: Sampling) -> dict[str, object]:
    return {
        "format": FORMAT_VERSION,
        "sampling": asdict(sampling),
        "jpeg": [QUALITY, SUBSAMPLING],
        "clips": len(clips),
        "digest": digest_json([asdict(clip) for clip in clips]),
    }


def _extract(root: Path, clip: Clip, sampling: Sampling, blob: BinaryIO) -> Extracted:
    path, start = root / clip.path, blob.tell()
    jpegs: list[Jpeg] = []
    try:
        for frame in clip_frames(path, sampling):
            content = encode_jpeg(frame.pixels, path)
            blob.write(content)
            height, width, _ = frame.pixels.shape
            jpegs.append(
                Jpeg(
                    frame=frame.index,
                    time_s=frame.time_s,
                    digest=sha256_bytes(content),
                    bytes=len(content),
                    width=width,
                    height=height,
                )
            )
    except DataError as error:
        blob.seek(start)
        blob.truncate()
        return Extracted(clip=clip, jpegs=(), reason=str(error).removeprefix(f"{path}: "))
    return Extracted(clip=clip, jpegs=tuple(jpegs), reason="")


def encode_jpeg(pixels: Pixels, path: Path) -> bytes:
    """Encode a frame of the clip at `path` as JPEG; raise DataError if that is impossible."""
    buffer = io.BytesIO()
    try:
        Image.fromarray(pixels).save(buffer, "JPEG", quality=QUALITY, subsampling=SUBSAMPLING)
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path}: expected frames that can be stored as JPEG, found others "
            f"({one_line(error)}): remove it."
        ) from error
    return buffer.getvalue()


def _resume(folder: Path, header: bytes) -> int:
    """Cut off unfinished or damaged clips; return the number of clips left."""
    index, blob = folder / INDEX, folder / BLOB
    blob.touch()
    first = _first_line(index) if index.exists() else b""
    if not first.endswith(b"\n"):
        index.write_bytes(header)
    elif first != header:
        raise DataError(
            f"{folder}: expected the requested frames, found those of other clips or other "
            "settings: remove the folder."
        )
    done, used, kept = 0, 0, len(header)
    with blob.open("rb") as stored, contextlib.suppress(DataError):
        for extracted, end in _finished(folder):
            if not _intact(extracted, stored):
                break
            done, used, kept = done + 1, used + extracted.size, end
    _cut(index, kept)
    _cut(blob, used)
    return done


def _intact(extracted: Extracted, stored: BinaryIO) -> bool:
    """Whether a clip's JPEGs come next; a power failure can lose bytes but keep the length."""
    return all(sha256_bytes(stored.read(jpeg.bytes)) == jpeg.digest for jpeg in extracted.jpegs)


def _cut(path: Path, size: int) -> None:
    if path.stat().st_size != size:
        os.truncate(path, size)


def _first_line(index: Path) -> bytes:
    with index.open("rb") as file:
        return file.readline()


def _finished(folder: Path) -> Iterator[tuple[Extracted, int]]:
    """The clips with a complete line in the index, and the position of the line's end."""
    with (folder / INDEX).open("rb") as index:
        end = len(index.readline())
        for line in index:
            if not line.endswith(b"\n"):
                return
            end += len(line)
            yield _parse(line, folder), end


def _line(fields: object) -> bytes:
    return (canonical_json(fields) + "\n").encode("ascii")


def _parse(line: bytes, folder: Path) -> Extracted:
    try:
        fields = json.loads(line)
        jpegs = tuple(Jpeg(**jpeg) for jpeg in fields["jpegs"])
        return Extracted(clip=Clip(**fields["clip"]), jpegs=jpegs, reason=fields["reason"])
    except (ValueError, TypeError, KeyError) as error:
        raise _damaged(folder, f"a line that is not a clip ({one_line(error)})") from error


def _read_header(folder: Path) -> dict[str, Any]:
    try:
        header: dict[str, Any] = json.loads(_first_line(folder / INDEX))
        version = header["format"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise _damaged(folder, f"no {INDEX} or a damaged one ({one_line(error)})") from error
    if version != FORMAT_VERSION:
        raise _damaged(folder, f"format {version} instead of {FORMAT_VERSION}")
    return header


def _damaged(folder: Path, found: str) -> DataError:
    return DataError(
        f"{folder}: expected a chunk of frames, found {found}: remove the folder and extract again."
    )
