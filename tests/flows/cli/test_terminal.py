"""Printing never fails."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PRINT = r"""
import logging, os, sys
from flows.cli.terminal import prepare_terminal, stdout_failure
prepare_terminal()
import click
from flows.cli.console import open_console
console = open_console()
console.print("accuracy 91.2 \N{PLUS-MINUS SIGN} 0.3, caf\xe9 \udcff")
for number in range(20_000):
    click.echo(f"line {number}")
error = stdout_failure()
print(error and error.strerror, file=sys.stderr)
logging.getLogger("tracking").warning("at http://me:sesame@host/")
"""


def run(environment: dict[str, str], **streams: object) -> subprocess.Popen[bytes]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "LC_", "LANG"))}
    where = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    command = [sys.executable, "-P", "-c", PRINT]
    return subprocess.Popen(command, env=clean | environment, **where)  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize(
    ("environment", "line"),
    [
        ({"PYTHONIOENCODING": "utf-8"}, "accuracy 91.2 ± 0.3, café \\udcff"),
        ({"PYTHONIOENCODING": "ascii"}, "accuracy 91.2 +/- 0.3, caf\\xe9 \\udcff"),
        ({"PYTHONIOENCODING": "latin-1"}, "accuracy 91.2 ± 0.3, café \\udcff"),
        (
            {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"},
            "accuracy 91.2 +/- 0.3, caf\\xe9 \\udcff",
        ),
    ],
)
def test_signs_that_an_encoding_lacks_are_spelt_out(environment: dict[str, str], line: str) -> None:
    out, err = run(environment).communicate()

    encoding = "latin-1" if "latin-1" in environment.values() else "utf-8"
    assert out.decode(encoding).splitlines()[0] == line
    assert out.count(b"\n") == 20_001
    assert err.decode() == "None\nat http://me:***@host/\n"


def test_a_reader_that_has_had_enough_is_no_failure() -> None:
    with run({}) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read()

    assert err.decode().splitlines()[0] == "None"
    assert process.returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_remembered_and_not_raised() -> None:
    with Path("/dev/full").open("wb") as full:
        process = run({}, stdout=full)
        _, err = process.communicate()

    assert err.decode().splitlines()[0] == "No space left on device"
    assert process.returncode == 0


def test_closed_streams_are_no_failure() -> None:
    command = f"{sys.executable} -P -c '{PRINT}' >&- 2>&-"
    assert subprocess.run(["bash", "-c", command], check=False).returncode == 0
