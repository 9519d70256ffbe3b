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
class Table:
    """Figures by subject, and where they were measured.

    Attributes:
        machine: processor, cores and system.
        torch: version of PyTorch.
        commit: commit of the code, with `+` for changed files.
        date: day of the measurement.
        load: load averages at the start and at the end.
        figures: figures by subject.
    """

    machine: str
    torch: str
    commit: str
    date: str
    load: tuple[float, float]
    figures: Mapping[str, tuple[Figure, ...]]

    @classmethod
    def of(cls, figures: Mapping[str, Sequence[Figure]], load: float) -> Self:
        """A table of what was measured here, since the load was `load`."""
        return cls(
            machine=machine(),
            torch=torch.__version__,
            commit=commit(),
            date=datetime.now(UTC).date().isoformat(),
            load=(round(load, 1), round(os.getloadavg()[0], 1)),
            figures={subject: tuple(found) for subject, found in figures.items()},
        )

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a stored table."""
        content = json.loads(path.read_text(encoding="utf-8"))
        figures = {
            subject: tuple(Figure(**entry) for entry in entries)
            for subject, entries in content.pop("figures").items()
        }
        return cls(figures=figures, **content | {"load": tuple(content["load"])})

    def write(self, path: Path) -> None:
        """Store it as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


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
    lines = [
        START,
        "",
        f"Measured on {table.date} at commit {table.commit}: {table.machine}, PyTorch "
        f"{table.torch}, load {table.load[0]} at the start and {table.load[1]} at the end.",
    ]
    for subject, figures in table.figures.items():
        lines += [
            "",
            f"### {subject}",
            "",
            "| figure | median | quartiles | n | |",
            "|---|---:|---|---:|---|",
            *(_row(figure) for figure in figures),
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
    if new.machine != old.machine:
        return [f"the stored table is of another machine ({old.machine}): not compared."]
    stored = {figure.name: figure for found in old.figures.values() for figure in found}
    lines = []
    for figure in (figure for found in new.figures.values() for figure in found):
        before = stored.get(figure.name)
        if before is None or (verdict := _verdict(figure, before)) is None:
            continue
        lines.append(
            f"{verdict}: {figure.name}: {_number(before.value)} -> {_number(figure.value)} "
            f"{figure.unit}"
        )
    return lines or [f"no figure differs from those of {old.commit} beyond noise."]


def _verdict(new: Figure, old: Figure) -> str | None:
    if new.low > old.high and new.value > SLOWER * old.value:
        return "WORSE"
    if new.high < old.low and old.value > SLOWER * new.value:
        return "better"
    return None
