"""`gradmix report`: rewrite the report of a finished reproduction from its record."""

from pathlib import Path

from flows.cli.console import expect_home, open_console, short
from flows.records.report_again import write_report_again


def report(run: str, *, home: Path) -> None:
    """Write the report and print its files."""
    expect_home(home)
    console = open_console()
    for path in write_report_again(run, home):
        console.print(short(path), soft_wrap=True)
