"""`gradmix report`: rewrite the report of a finished reproduction, or write a page of all cells."""

from pathlib import Path

from flows.cli.console import expect_home, open_console, short
from flows.cli.errors import OneLineError
from flows.records.all_cells import write_all_cells
from flows.records.report_again import write_report_again


def report(run: str | None, *, everything: bool, home: Path) -> None:
    """Write the report, or the page, and print its files.

    Raises:
        OneLineError: if not exactly one of the two was asked for.
        HomeError: if there is no such reproduction, or no cell.
    """
    if everything == (run is not None):
        found = f"both, {run!r} and --all" if everything else "neither"
        raise OneLineError(
            f"RUN: expected a reproduction's name, or --all in its place, found {found}; give one."
        )
    expect_home(home)
    console = open_console()
    for path in [write_all_cells(home)] if run is None else write_report_again(run, home):
        console.print(short(path), soft_wrap=True)
