"""The raw data of an experiment, located before anything runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class RawData:
    """All external inputs, located before anything runs.

    Attributes:
        root: folder of the real data; None for embedded data.
        digests: digests of the raw files by name, for each (dataset, split).
        roots: folder of each data set, or of its test split as `dataset/test` if that is elsewhere;
            None for embedded data.
        classes: classes of each data set.
        shown: path of each photo or clip by SHA-256 and class, for each (dataset, split).
        weights: file of pretrained weights; None for random ones.
        weights_digest: SHA-256 of that file.
        code_digest: SHA-256 of the file of a user-defined trunk.
        unlabelled: paths of the target's unlabelled files, if given.
        corrections: corrected labels by file name in the target; an empty label removes the file.
        labelled: number of labelled files of the target by class, including corrections.
        files: folder that names of the target's files are relative to.
        corrections_file: path of the corrections, which need not exist.
    """

    root: str | None
    digests: Mapping[tuple[str, str], dict[str, str]]
    roots: Mapping[str, str | None]
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    shown: Mapping[tuple[str, str], Mapping[tuple[str, str], Path]] = field(default_factory=dict)
    weights: str | None = None
    weights_digest: str | None = None
    code_digest: str | None = None
    unlabelled: tuple[Path, ...] = ()
    corrections: Mapping[str, str] = field(default_factory=dict)
    labelled: Mapping[str, int] = field(default_factory=dict)
    files: Path | None = None
    corrections_file: Path | None = None

    def root_of(self, dataset: str, split: str) -> str | None:
        """Folder or table of a split; None for embedded data."""
        return self.roots.get(f"{dataset}/{split}", self.roots.get(dataset))
