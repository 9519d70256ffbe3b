"""All benchmarks, in the environment of a training's slot; for a quiet machine.

python -P tests/benchmarks [SUBJECT ...] [--quick] [--store] [--clips DIR]

Prints every figure, then which differ from the stored table beyond noise; exits with 1 if one is
worse. `--store` replaces the stored figures of a subject, in docs/benchmarks.json and
docs/benchmarks.md, once it is measured. Each subject runs in a process of its own.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

from figures import Figure, in_a_slot
from page import TABLE, Subject, compared, read, write, write_page

SUBJECTS = {
    "steps": "A training step",
    "solvers": "The solver",
    "mixer": "The mixer",
    "starts": "Starting a training",
    "cells": "Engines",
    "extraction": "Frames of clips",
    "prediction": "Prediction",
}
SINGLE_PROCESS = {"steps", "solvers", "mixer", "extraction"}


def measured(subject: str, given: argparse.Namespace) -> Iterator[Figure]:
    """Figures of a subject, in this process."""
    module = import_module(subject)
    if subject == "extraction":
        return module.figures(given.quick, given.clips)
    return module.figures(given.quick)


def measure_here(given: argparse.Namespace) -> None:
    """Measure one subject; writes a line of JSON per figure."""
    if given.measure in SINGLE_PROCESS:
        in_a_slot()
    with given.out.open("w", encoding="utf-8") as out:
        for figure in measured(given.measure, given):
            out.write(json.dumps(asdict(figure)) + "\n")
            out.flush()
            show(figure)


def show(figure: Figure) -> None:
    """Print a figure."""
    quartiles = f"{figure.low:.3g} to {figure.high:.3g}" if figure.n > 1 else ""
    sys.stdout.write(
        f"{figure.name:66} {figure.value:9.3g} {figure.unit:10} {quartiles:18} {figure.detail}\n"
    )
    sys.stdout.flush()


def measure_in_a_process(subject: str, given: argparse.Namespace) -> list[Figure]:
    """Figures of a subject, measured in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "figures.jsonl"
        command = [sys.executable, "-P", str(Path(__file__).parent), "--measure", subject]
        command += ["--out", str(out), *(["--quick"] if given.quick else [])]
        command += ["--clips", str(given.clips)] if given.clips else []
        subprocess.run(command, check=True)
        return [Figure(**json.loads(line)) for line in out.read_text("utf-8").splitlines()]


def main() -> int:
    """Measure, print, compare and store."""
    parser = argparse.ArgumentParser(usage=__doc__.splitlines()[2])
    parser.add_argument("subjects", nargs="*", metavar="SUBJECT", help=", ".join(SUBJECTS))
    parser.add_argument("--quick", action="store_true", help="fewer repetitions, no fleet")
    parser.add_argument("--store", action="store_true", help="replace the stored table")
    parser.add_argument("--clips", type=Path, metavar="DIR", help="clips to extract frames from")
    parser.add_argument("--measure", choices=SUBJECTS, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        measure_here(given)
        return 0
    if unknown := set(given.subjects) - set(SUBJECTS):
        parser.error(f"expected {', '.join(SUBJECTS)}, found {', '.join(sorted(unknown))}.")
    stored, found = read(TABLE), {}
    for subject in given.subjects or SUBJECTS:
        load = os.getloadavg()[0]
        found[SUBJECTS[subject]] = Subject.of(measure_in_a_process(subject, given), load)
        if given.store:
            every = {**read(TABLE), **found}
            table = {title: every[title] for title in SUBJECTS.values() if title in every}
            write(table, TABLE)
            write_page(table)
    lines = compared(found, stored)
    sys.stdout.write("\n".join(["", *lines, ""]))
    return int(any(line.startswith("WORSE") for line in lines))


if __name__ == "__main__":
    sys.exit(main())
