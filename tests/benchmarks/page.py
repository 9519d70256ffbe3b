"""The stored table of figures, its page, and the comparison of new figures with it."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import torch
from figures import Figure

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs" / "benchmarks.json"
PAGE = ROOT / "docs" / "benchmarks.md"
START, END = "<!-- figures: made by `make bench` -->", "<!-- end of figures -->"
SLOWER = 1.05
"""A figure is worse only if its median is, by this factor, and the quartiles do not meet."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Figures of a subject, and where they were measured.

    Attributes:
        machine: processor, cores and system.
        torch: version of PyTorch.
        commit: commit of the code, with `+` for changed files.
        date: day of the measurement.
        load: load averages at the start and at the end.
        figures: the figures.
    """

    machine: str
    torch: str
    commit: str
    date: str
    load: tuple[float, float]
    figures: tuple[Figure, ...]

    @classmethod
    def of(cls, figures: Sequence[Figure], load: float) -> Self:
        """What was measured here, since the load was `load`."""
        return cls(
            machine=machine(),
            torch=torch.__version__,
            commit=commit(),
            date=datetime.now(UTC).date().isoformat(),
            load=(round(load, 1), round(os.getloadavg()[0], 1)),
            figures=tuple(figures),
        )


Table = Mapping[str, Subject]
"""Subjects by title."""


def read(path: Path) -> Table:
    """Read a stored table; empty if there is none."""
    if not path.exists():
        return {}
    content = json.loads(path.read_text(encoding="utf-8"))
    return {
        title: Subject(
            **entry
            | {
                "load": tuple(entry["load"]),
                "figures": tuple(Figure(**figure) for figure in entry["figures"]),
            }
        )
        for title, entry in content.items()
    }


def write(table: Table, path: Path) -> None:
    """Store a table as JSON."""
    content = {title: asdict(subject) for title, subject in table.items()}
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def machine() -> str:
    """Processor, cores and system."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    name = names[0] if names else platform.processor()
    return f"{os.cpu_count()} cores of {name}, {platform.system()}"


def commit() -> str:
    """Short commit of the code, with `+` if files were changed."""
    sha = _git("rev-parse", "--short", "HEAD")
    return sha + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")


def _git(*words: str) -> str:
    command = ["git", "-C", str(ROOT), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def section(table: Table) -> str:
    """The generated part of the page, as Markdown."""
    lines = [START]
    for title, found in table.items():
        lines += [
            "",
            f"### {title}",
            "",
            f"Measured on {found.date} at commit {found.commit}: {found.machine}, PyTorch "
            f"{found.torch}, load {found.load[0]} at the start and {found.load[1]} at the end.",
            "",
            "| figure | median | quartiles | n | |",
            "|---|---:|---|---:|---|",
            *(_row(figure) for figure in found.figures),
        ]
    return "\n".join([*lines, "", END])


def _row(figure: Figure) -> str:
    quartiles = f"{_number(figure.low)} to {_number(figure.high)}" if figure.n > 1 else ""
    value = f"{_number(figure.value)} {figure.unit}"
    return f"| {figure.name} | {value} | {quartiles} | {figure.n} | {figure.detail} |"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def write_page(table: Table) -> None:
    """Replace the generated part of the page."""
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(START)
    _, after = rest.split(END)
    PAGE.write_text(before + section(table) + after, encoding="utf-8")


def compared(new: Table, old: Table) -> list[str]:
    """A line for each figure that is worse or better than the stored one beyond noise."""
    lines = [line for title in new for line in _compared(title, new[title], old.get(title))]
    return lines or ["no figure differs from the stored ones beyond noise."]


def _compared(title: str, new: Subject, old: Subject | None) -> list[str]:
    if old is None:
        return [f"{title}: nothing is stored yet."]
    if new.machine != old.machine:
        return [f"{title}: stored for another machine ({old.machine}), not compared."]
    stored = {figure.name: figure for figure in old.figures}
    return [
        f"{verdict}: {figure.name}: {_number(stored[figure.name].value)} -> "
        f"{_number(figure.value)} {figure.unit}"
        for figure in new.figures
        if figure.name in stored and (verdict := _verdict(figure, stored[figure.name]))
    ]


def _verdict(new: Figure, old: Figure) -> str | None:
    if new.low > old.high and new.value > SLOWER * old.value:
        return "WORSE"
    if new.high < old.low and old.value > SLOWER * new.value:
        return "better"
    return None
