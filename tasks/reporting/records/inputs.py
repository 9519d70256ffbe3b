"""Inputs and requested outputs of a reproduction, in a record."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class DataRecord:
    """One split of a data set.

    Attributes:
        dataset: name of the data set in the experiment.
        reader: reader that read it.
        split: "train" or "test".
        origin: origin of the files, in words.
        official: whether this is the published split.
        samples: number of images or frames.
        clips: number of clips the frames are from; None for images.
        skipped: number of files left out, by reason.
        broken: number of files that cannot be decoded.
        digest: digest of the prepared data.
        raw: digests of the raw files.
    """

    dataset: str
    reader: str
    split: str
    origin: str
    official: bool
    samples: int
    clips: int | None = None
    skipped: Mapping[str, int] = field(default_factory=dict)
    broken: int = 0
    digest: str
    raw: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class ClassCorrections:
    """Corrections of one class, compared with pseudo-labels of an earlier run.

    Attributes:
        label: the class given by a person.
        corrected: number of files corrected to it.
        labelled: number of those that had a pseudo-label.
        otherwise: number of those whose pseudo-label was different.
    """

    label: str
    corrected: int
    labelled: int
    otherwise: int


@dataclass(frozen=True, kw_only=True)
class LabelledRecord:
    """V given as labelled files.

    Attributes:
        counts: labelled files per class, in order of the classes, including corrected ones.
        unlabelled: number of files in U.
        parts: parts of V, each held out once; 0 if a fixed set is held out.
        held_out: labelled files that are held out, over all parts.
        rejected: files removed by corrections.
        corrections: corrections by class, if any.
        files: folder that names of the target's files are relative to.
        corrections_file: path of the corrections, which need not exist.
    """

    counts: tuple[int, ...]
    unlabelled: int
    parts: int
    held_out: int
    rejected: int = 0
    corrections: tuple[ClassCorrections, ...] = ()
    files: str | None = None
    corrections_file: str | None = None


@dataclass(frozen=True, kw_only=True)
class OutputsRecord:
    """Requested outputs: numbers of the paper's tables and figures, names of studies.

    `rows` names rows of the table besides the first stage's; None for all.
    """

    rows: tuple[str, ...] | None = None
    tables: tuple[int, ...]
    figures: tuple[int, ...]
    studies: tuple[str, ...]
