"""Store of a data set's frames: one file with all JPEGs, and a table describing them."""

import io
import mmap
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from data.errors import DataError
from data.fingerprint import canonical_json, sha256_bytes
from data.frames.chunks import BLOB, Extracted, read_chunk, read_settings
from data.tables.parquet import PARQUET, read_table

MANIFEST, SKIPPED = "frames.parquet", "skipped.json"
SCHEMA = pa.schema(
    [
        ("clip", pa.string()),
        ("class", pa.string()),
        ("group", pa.string()),
        ("split", pa.string()),
        ("frame", pa.int64()),
        ("time_s", pa.float64()),
        ("digest", pa.string()),
        ("offset", pa.int64()),
        ("bytes", pa.int64()),
        ("width", pa.int64()),
        ("height", pa.int64()),
    ]
)
# Rows in memory and per row group, independent of the chunks.
_ROWS = 1 << 12


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Summary of a frame store.

    Attributes:
        clips: number of clips processed, including skipped ones.
        frames: number of frames of the clips that were not skipped.
        skipped: path and reason of each skipped clip, as {"clip": ..., "reason": ...}.
        ignored: number of ignored files among the clips, by reason.
    """

    clips: int
    frames: int
    skipped: tuple[dict[str, str], ...]
    ignored: Mapping[str, int] = field(default_factory=dict)


def merge(chunks: Sequence[Path], output: Path) -> Summary:
    """Merge finished chunks into one store; the same clips give the same bytes.

    Writes the JPEGs to frames.bin, their table to frames.parquet and the skipped clips to
    skipped.json, all in the order of the clips, regardless of the chunks.

    Args:
        chunks: folders finished by `extract_chunk`, in the order of their clips.
        output: folder to write to, created if needed. The caller syncs and renames it.

    Raises:
        DataError: if a chunk is unfinished, damaged, or extracted with other settings than the
            first; names the chunk to remove.
    """
    schema = SCHEMA.with_metadata({"gradmix": _common_settings(chunks)})
    output.mkdir(parents=True, exist_ok=True)
    tally = _Tally()
    with (
        (output / BLOB).open("wb") as blob,
        pq.ParquetWriter(output / MANIFEST, schema, **PARQUET) as manifest,
    ):
        rows = _copied(chunks, blob, tally)
        while some := list(islice(rows, _ROWS)):
            manifest.write_table(pa.Table.from_pylist(some, schema=schema))
            tally.frames += len(some)
    (output / SKIPPED).write_text(canonical_json(tally.skipped) + "\n", encoding="ascii")
    return Summary(clips=tally.clips, frames=tally.frames, skipped=tuple(tally.skipped))


@dataclass(frozen=True, kw_only=True)
class FrameStore:
    """Frames on disk, read one by one from a memory map that processes share.

    Attributes:
        manifest: one row per frame, with the columns of `SCHEMA`.
        blob: the JPEGs.
        path: path of the file with the JPEGs, for errors.
    """

    manifest: pa.Table
    blob: mmap.mmap
    path: Path

    def __len__(self) -> int:
        """Number of frames."""
        return int(self.manifest.num_rows)

    def picture(self, row: int) -> Image.Image:
        """Open the frame at a row of the manifest, in RGB, without decoding it yet.

        Pillow decodes it on first use; call `draft` before that for a smaller, faster one.

        Raises:
            DataError: if the bytes differ from those stored.
        """
        offset, size, digest = (
            self.manifest.column(name)[row].as_py() for name in ("offset", "bytes", "digest")
        )
        content = self.blob[offset : offset + size]
        if sha256_bytes(content) != digest:
            raise DataError(
                f"{self.path}: expected the frame of row {row} at byte {offset}, found other "
                "bytes: extract the frames again."
            )
        return Image.open(io.BytesIO(content))


def open_frames(folder: Path, *, sealed: bool = False) -> FrameStore:
    """Open the frame store that `merge` wrote into a folder.

    Args:
        folder: folder of the store.
        sealed: True for frames of a test split, which form a sealed data set.

    Raises:
        DataError: if a file is missing, damaged or does not match the other, there are no frames,
            or `sealed` does not match the split of the frames.
    """
    manifest, path = read_table(folder / MANIFEST, SCHEMA, "frames"), folder / BLOB
    if ("test" in manifest.column("split").unique().to_pylist()) is not sealed:
        wanted, there = ("sealed", "open") if sealed else ("open", "sealed")
        raise DataError(
            f"{folder}: expected {wanted} frames, found {there}: use frames of a test split "
            "only for its sealed data set."
        )
    expected = sum(manifest.column("bytes").to_pylist())
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno()).st_size
            if found and found == expected:
                blob = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                return FrameStore(manifest=manifest, blob=blob, path=path)
    except OSError as error:
        raise DataError(
            f"Expected the JPEGs of frames at {path}, found none ({error.strerror}): extract the "
            "frames again."
        ) from error
    raise DataError(
        f"{path}: expected {expected:,} bytes of JPEGs, at least one, found {found:,}: extract "
        "the frames again."
    )


@dataclass(kw_only=True)
class _Tally:
    clips: int = 0
    frames: int = 0
    skipped: list[dict[str, str]] = field(default_factory=list)


def _copied(chunks: Sequence[Path], blob: BinaryIO, tally: _Tally) -> Iterator[dict[str, object]]:
    """Copy the JPEGs of all chunks, yielding the rows of the manifest."""
    for chunk in chunks:
        with _blob_of(chunk) as source:
            for extracted in read_chunk(chunk):
                tally.clips += 1
                if extracted.reason:
                    tally.skipped.append({"clip": extracted.clip.path, "reason": extracted.reason})
                yield from _copied_clip(extracted, source, blob)


def _copied_clip(
    extracted: Extracted, source: BinaryIO, blob: BinaryIO
) -> Iterator[dict[str, object]]:
    clip = extracted.clip
    named = {"clip": clip.path, "class": clip.label, "group": clip.group, "split": clip.split}
    for jpeg in extracted.jpegs:
        content = source.read(jpeg.bytes)
        if sha256_bytes(content) != jpeg.digest:
            raise DataError(
                f"{Path(source.name).parent}: expected frame {jpeg.frame} of {clip.path}, found "
                "other bytes: remove the folder and extract again."
            )
        row = named | asdict(jpeg) | {"offset": blob.tell()}
        blob.write(content)
        yield row


def _blob_of(chunk: Path) -> BinaryIO:
    try:
        return (chunk / BLOB).open("rb")
    except OSError as error:
        raise DataError(
            f"{chunk}: expected a chunk of frames, found no {BLOB} ({error.strerror}): remove the "
            "folder and extract again."
        ) from error


def _common_settings(chunks: Sequence[Path]) -> str:
    if not chunks:
        raise DataError("Expected at least one chunk of frames to merge, found none.")
    first = read_settings(chunks[0])
    for chunk in chunks:
        if (settings := read_settings(chunk)) != first:
            raise DataError(
                f"{chunk}: expected frames extracted with {first}, as in {chunks[0]}, found "
                f"{settings}: remove the folder and extract again."
            )
    return first
