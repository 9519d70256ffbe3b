"""The raw data of an experiment, as they are found before anything runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class RawData:
    """Everything that is read from outside, found before anything runs.

    Attributes:
        root: folder of the real data; None for embedded data.
        digests: of the raw files by (dataset, split), each by name.
        roots: folder of each data set, or of its test split by `dataset/test` where that lies
            elsewhere; None for embedded data.
        classes: of each data set.
        shown: by (dataset, split), the place of each photo or clip by its SHA-256 and its class.
        weights: file of pretrained weights; None: random ones.
        weights_digest: SHA-256 of it.
        code_digest: SHA-256 of the file of a trunk that the user has written.
        unlabelled: where the target's unlabelled files are, if they are given as such.
        corrections: label by the file's name in the target; empty: it is taken out.
        labelled: labelled files of the target by class, those of corrections among them.
        files: folder that the names of the target's labelled and unlabelled files start from.
        corrections_file: where corrections are, or will be.
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
