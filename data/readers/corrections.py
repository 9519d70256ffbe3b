"""Corrections of pseudo-labels by a person, as a CSV table beside the experiment."""

import csv
import io
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from data.atomic import write_atomically
from data.names import both, fold, normal
from data.readers.columns import Problems, read_columns

Decision = Literal["confirm", "change", "reject"]
DECISIONS: tuple[Decision, ...] = get_args(Decision)
COLUMNS = ("path", "decision", "label")


@dataclass(frozen=True, kw_only=True)
class Correction:
    """A person's decision on a file.

    Attributes:
        path: absolute path of the file. A sample of an array, which has no file, is named as if it
            were in the table's folder.
        decision: `confirm` if the model's label is right, `change` if it should be `label`,
            `reject` if the file shows none of the classes or is useless.
        label: class of the file; empty if it is rejected.
    """

    path: Path
    decision: Decision
    label: str


def read_corrections(
    path: Path, check: Callable[[Correction], Iterable[str]] = lambda _: ()
) -> list[Correction]:
    """Read the corrections of a table, in its order; other columns are ignored.

    Paths are absolute or relative to the table's folder.

    Args:
        path: path of the table.
        check: finds further problems of a valid row, such as an unknown file or class.

    Raises:
        ProblemsError: lists every row with a missing path or label, an unknown decision, a label
            of a rejected file, a repeated file, a second spelling of a class, or a problem that
            `check` finds.
        DataError: if the table cannot be read or lacks a column.
    """
    table = read_columns(path, COLUMNS, COLUMNS)
    problems = Problems(path)
    folder = path.absolute().parent
    found: dict[Path, int] = {}
    spelled: dict[str, str] = {}
    corrections = []
    columns = (table[name].tolist() for name in COLUMNS)
    for number, named, decision, label in zip(table.index.tolist(), *columns, strict=True):
        one = _correction(named, decision, label, folder)
        wrong = [*_problems(named, decision, label)]
        if not wrong:
            wrong = [*_contradictions(one, number, found, spelled), *check(one)]
        for text in wrong:
            problems.add(number, text)
        corrections.append(one)
    problems.refuse()
    return corrections


def write_corrections(corrections: Iterable[Correction], path: Path) -> None:
    """Write a table for `read_corrections` atomically, ordered by path.

    Paths below the table's folder are written relative to it, others in full.

    Raises:
        OSError: if the table cannot be written.
    """
    folder = path.absolute().parent
    rows = sorted((_written(one.path, folder), one.decision, one.label) for one in corrections)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *rows])
    write_atomically(path, text.getvalue())


def _correction(named: str, decision: str, label: str, folder: Path) -> Correction:
    plain = named.replace("\\", "/")
    spelled = plain if not (folder / named).exists() and (folder / plain).exists() else named
    path = Path(os.path.normpath(folder / spelled))
    known: Decision = next((one for one in DECISIONS if one == fold(decision)), "reject")
    return Correction(path=path, decision=known, label=normal(label))


def _problems(named: str, decision: str, label: str) -> Iterator[str]:
    """Problems of a single row."""
    if not named or "\0" in named:
        yield f"expected the path of a file, found {named!r}: write it relative to the table."
    if fold(decision) not in DECISIONS:
        known = ", ".join(DECISIONS[:-1])
        yield f"expected {known} or {DECISIONS[-1]}, found {decision!r}: correct it."
    elif fold(decision) == "reject" and label:
        yield f"expected no label for {named}, which is rejected, found {label!r}: remove it."
    elif fold(decision) != "reject" and not label:
        yield f"expected a label for {named}, found none: name its class."


def _contradictions(
    one: Correction, number: int, found: dict[Path, int], spelled: dict[str, str]
) -> Iterator[str]:
    """Conflicts of a row with earlier rows, which `found` and `spelled` record."""
    before = found.setdefault(one.path, number)
    if before != number:
        yield f"expected every file once, found {one.path} again, as in row {before}: keep one."
    usual = spelled.setdefault(fold(one.label), one.label)
    if usual != one.label:
        yield f"expected one spelling of a class, found {both(usual, one.label)}: correct one."


def _written(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)
