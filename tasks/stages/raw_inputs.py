"""What stages take that read raw files, and what they note of these."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from data.fingerprint import digest_json
from data.raw_files import FILES
from tasks.engine.stage import StageInputs, Workplace


@dataclass(frozen=True, kw_only=True)
class RawInputs(StageInputs):
    """The raw files of one split.

    Attributes:
        reader: name of the data set.
        split: "train" or "test"; the latter is sealed.
        root: folder of the real data, not part of the identity; None for embedded data.
        raw: SHA-256 of the files by name; of photos and clips one for all; none if embedded.
    """

    reader: str
    split: str
    root: Path | None
    raw: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class MediaInputs(RawInputs):
    """Photos or clips of one split.

    Attributes:
        partial: go on with what is there where files are missing; not part of the identity.
        max_broken: share of the files that may be broken; checked when they are decoded.
        unlabelled: where more files of the split are, without labels; not part of the identity.
    """

    partial: bool
    max_broken: float
    unlabelled: tuple[Path, ...] = ()


def made_with(*names: str) -> dict[str, str]:
    """Versions of the libraries that make the pixels."""
    return {name: version(name) for name in names}


def log_raw(place: Workplace, run_id: str, inputs: RawInputs) -> None:
    """Name the raw files as what a run read; embedded data come from their reader."""
    embedded = {f"embedded {inputs.reader}": digest_json(dict(place.request.config))}
    for name, digest in (inputs.raw or embedded).items():
        source = f"{inputs.root or 'embedded'}/{name}"
        called = f"{inputs.reader} {name}" if name == FILES else name
        place.runtime.tracker.log_dataset(run_id, called, digest, source, "raw")
