"""What a reproduction was given and asked for, as a record has it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class DataRecord:
    """One split of a data set.

    Attributes:
        dataset: its name in the experiment.
        reader: that read it.
        split: "train" or "test".
        origin: of the files, in words.
        official: whether this is the published split.
        samples: images or frames.
        clips: that the frames are of; None of images.
        skipped: files that were left out, by reason.
        broken: files that cannot be decoded.
        digest: of the prepared data.
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
    """Corrections of one class, and how many of these had another pseudo-label in an earlier run.

    Attributes:
        label: the class that a person has named.
        corrected: files that were given it.
        labelled: those of them that had a pseudo-label.
        otherwise: those of these whose pseudo-label was another.
    """

    label: str
    corrected: int
    labelled: int
    otherwise: int


@dataclass(frozen=True, kw_only=True)
class LabelledRecord:
    """A V that is labelled files as they are.

    Attributes:
        counts: labelled files by class, in the order of the classes, corrected ones among them.
        unlabelled: files of U.
        parts: of V, each held out once; 0: what is held out is held out for good.
        held_out: labelled files that are held out, in all parts together.
        rejected: files that corrections have taken out.
        corrections: by class; none without any.
        files: folder that names of the target's files start from.
        corrections_file: where corrections are, or will be.
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
    """What was asked for: numbers of the paper's tables and figures, names of studies.

    `rows` are names of the table's rows besides the first stage's; None: all of them.
    """

    rows: tuple[str, ...] | None = None
    tables: tuple[int, ...]
    figures: tuple[int, ...]
    studies: tuple[str, ...]
