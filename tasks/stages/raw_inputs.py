"""Inputs of stages that read raw files, and their tracking."""

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
        root: folder of the real data, not part of the identity; None if embedded.
        raw: SHA-256 of the files by name; a single one for photos and clips; empty if embedded.
    """

    reader: str
    split: str
    root: Path | None
    raw: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class MediaInputs(RawInputs):
    """Photos or clips of one split.

    Attributes:
        partial: continue with the existing files if some are missing; not part of the identity.
        max_broken: maximum share of broken files; checked during decoding.
        unlabelled: folder of more, unlabelled files of the split; not part of the identity.
    """

    partial: bool
    max_broken: float
    unlabelled: tuple[Path, ...] = ()


def made_with(*names: str) -> dict[str, str]:
    """Versions of the libraries that affect the pixels."""
    return {name: version(name) for name in names}


def log_raw(place: Workplace, run_id: str, inputs: RawInputs) -> None:
    """Log the raw files, or the embedded data set, as inputs of a run."""
    embedded = {f"embedded {inputs.reader}": digest_json(dict(place.request.config))}
    for name, digest in (inputs.raw or embedded).items():
        source = f"{inputs.root or 'embedded'}/{name}"
        called = f"{inputs.reader} {name}" if name == FILES else name
        place.runtime.tracker.log_dataset(run_id, called, digest, source, "raw")
