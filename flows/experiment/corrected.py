"""Checks of a target's labelled files and corrections, before anything runs."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from data.counting import counted
from data.errors import DataError, ProblemsError
from data.listing import Listing
from data.readers.corrections import Correction, read_corrections
from data.tables.labelled_split import FOLDS, REJECTED
from flows.experiment.fields import ALL
from flows.experiment.raw_data import RawData
from flows.experiment.settings import Experiment


def corrections_of(listing: Listing, table: Path, classes: Sequence[str] | str) -> dict[str, str]:
    """Labels of corrected files, by name in the listing; `REJECTED` for rejected ones.

    Args:
        listing: labelled and unlabelled files of the target.
        table: the table of corrections.
        classes: classes of the target, or `all` of the listing's.

    Raises:
        ProblemsError: lists every wrong row, such as one with a file that is not the target's, or
            with a label that is not one of its classes.
        DataError: if the table cannot be read.
    """
    known = listing.classes if classes == ALL else classes
    names = {(listing.root / file.path).absolute(): file.path for file in listing.files}

    def wrong(one: Correction) -> Iterator[str]:
        if one.path not in names:
            yield (
                f"expected a labelled or unlabelled file of the target, found {one.path}: remove "
                "the row, or correct the path."
            )
        if one.decision != "reject" and one.label not in known:
            yield (
                f"expected a class, one of {', '.join(known)}, found {one.label!r}: correct it; a "
                "new class needs labelled files of its own."
            )

    return {
        names[one.path]: REJECTED if one.decision == "reject" else one.label
        for one in read_corrections(table, wrong)
    }


def check_labelled(experiment: Experiment, raw: RawData) -> None:
    """Check that the target has enough labelled files, and a test split of the same classes.

    Args:
        experiment: experiment with all classes named.
        raw: the raw data found.

    Raises:
        DataError: if not; lists all problems.
    """
    if experiment.target.labelled is None:
        return
    wrong = [*_too_few(experiment, raw), *_other_classes(experiment, raw)]
    if len(wrong) > 1:
        raise ProblemsError(wrong, experiment.name)
    if wrong:
        raise DataError(wrong[0])


def _too_few(experiment: Experiment, raw: RawData) -> Iterator[str]:
    target = experiment.target
    counts = {name: raw.labelled.get(name, 0) for name in target.classes}
    for name, count in counts.items():
        if count < 2:
            yield (
                f"target.labelled: expected at least 2 labelled files of class '{name}', one to "
                f"learn from and one to choose by, found {count}: label more."
            )
    total, held = sum(counts.values()), target.hyper_validation
    if target.cross_fitted and total < FOLDS:
        yield (
            f"target.labelled: expected at least {FOLDS} labelled files, each part of which is "
            f"held out once, found {total}: label more."
        )
    if isinstance(held, int) and held > total - len(counts):
        yield (
            f"target.hyper_validation: expected at most {max(1, total - len(counts))}, so that "
            f"every class keeps one of the {counted(total, 'labelled file')}, found {held}: "
            'lower it, or write "cross".'
        )


def _other_classes(experiment: Experiment, raw: RawData) -> Iterator[str]:
    target = experiment.target
    if target.test is None:
        return
    tested = {name for _, name in raw.shown.get((target.dataset, "test"), {})}
    lost = [name for name in target.classes if name not in tested]
    if lost:
        yield (
            f"target.test: expected the target's classes, found none of {', '.join(lost)} in "
            f"{raw.root_of(target.dataset, 'test')}: add files of it, or correct the name."
        )
