"""What turning photos or frames into squares is given."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from data.raw_files import About

BROKEN = "broken.json"
"""Photos that could not be decoded and were left out, with the reasons."""


@dataclass(frozen=True, kw_only=True)
class PicturesJob:
    """Photos, or frames, and the size to scale them to.

    Attributes:
        reader: name of the data set.
        split: "train" or "test"; the latter is sealed.
        root: folder of the real data; None for embedded data.
        raw: digest of the photos at the start of the run.
        partial: continue with the existing files if some are missing.
        side: side of the squares in pixels.
        max_broken: maximum share of broken photos.
        home: the home folder, where known digests are kept.
        frames: folder of the frames; None if the files are photos.
        about: description of the clips that the frames are from.
        unlabelled: folder of more, unlabelled photos.
    """

    reader: str
    split: str
    root: Path | None
    raw: Mapping[str, str]
    partial: bool
    side: int
    max_broken: float
    home: Path
    frames: Path | None
    about: About | None
    unlabelled: tuple[Path, ...] = ()
