"""Sizes and formats of photos and clips, read from the first bytes of each file."""

import os
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from PIL import Image

from data.errors import DataError, one_line
from data.frames.sampling import Sampling
from data.images.decode import decode_photo
from data.listing import Media

_Result = TypeVar("_Result")
_AT_ONCE = 64
"""Files that a thread takes at once: handing over costs more than reading a header."""


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a file says of itself.

    Attributes:
        path: of the file.
        width: pixels, as stored; 0 of a file that cannot be read.
        height: likewise.
        format: a short name, as `JPEG` or `AVI`; empty of a file that cannot be read.
        problem: why it cannot be read; empty of one that can.
    """

    path: Path
    width: int = 0
    height: int = 0
    format: str = ""
    problem: str = ""

    @property
    def side(self) -> int:
        """The shorter side, pixels."""
        return min(self.width, self.height)


def read_headers(paths: Sequence[Path], media: Media) -> list[Header]:
    """The header of each file, in order, with as many threads as cores.

    A header that can be read does not promise pixels that can: see `undecodable`.
    """
    return _in_threads(_photo if media == "photos" else _clip, paths)


def undecodable(paths: Sequence[Path], media: Media) -> list[Header]:
    """The files of which no picture can be decoded, each with its problem."""
    tried = _in_threads(_decoded_photo if media == "photos" else _decoded_clip, paths)
    return [header for header in tried if header.problem]


def _in_threads(look: Callable[[Path], _Result], paths: Sequence[Path]) -> list[_Result]:
    # Pillow warns of large photos; one filter for all, because filters are not a thread's own.
    with warnings.catch_warnings(action="ignore"), ThreadPoolExecutor(os.cpu_count()) as pool:
        parts = [paths[start : start + _AT_ONCE] for start in range(0, len(paths), _AT_ONCE)]
        return [one for part in pool.map(lambda part: list(map(look, part)), parts) for one in part]


def _photo(path: Path) -> Header:
    try:
        with Image.open(path) as picture:
            width, height = picture.size
            return Header(path=path, width=width, height=height, format=str(picture.format))
    # Pillow's parsers fail in dozens of ways on damaged bytes.
    except Exception as error:
        return Header(path=path, problem=_why(error, path))


def _clip(path: Path) -> Header:
    import av  # noqa: PLC0415 - slow, and only needed for clips

    try:
        with av.open(str(path)) as container:
            context = container.streams.video[0].codec_context
            name = container.format.name.partition(",")[0].upper()
            return Header(path=path, width=context.width, height=context.height, format=name)
    except (av.FFmpegError, OSError, ValueError, IndexError) as error:
        return Header(path=path, problem=_why(error, path))


def _decoded_photo(path: Path) -> Header:
    try:
        decode_photo(path)
    except DataError as error:
        return Header(path=path, problem=_why(error, path))
    return Header(path=path)


def _decoded_clip(path: Path) -> Header:
    from data.frames.decode import clip_frames  # noqa: PLC0415 - loads PyAV, for clips only

    try:
        next(iter(clip_frames(path, Sampling(frames=1))))
    except (DataError, StopIteration) as error:
        return Header(path=path, problem=_why(error, path))
    return Header(path=path)


def _why(error: BaseException, path: Path) -> str:
    """The reason in one line, without the path, which is told beside it."""
    if not path.is_file():
        return "there is no such file"
    if path.stat().st_size == 0:
        return "it is empty"
    cause = error.__cause__ if isinstance(error, DataError) and error.__cause__ else error
    text = one_line(cause).replace(f" {str(path)!r}", "").replace(str(path), "").strip(" :")
    return text or type(error).__name__
