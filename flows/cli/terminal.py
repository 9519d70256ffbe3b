"""Printing that never fails: whatever the encoding, and wherever the output goes.

A run of hours must not end in a traceback because a reader closed a pipe, a disk is full, or a
terminal has no sign for plus-minus.
"""

import codecs
import contextlib
import errno
import io
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.redaction import redacted

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

HANDLER = "gradmix"
PLAIN = {
    "±": "+/-",
    "\N{MULTIPLICATION SIGN}": "x",
    "·": ".",
    "…": "...",
    "\N{EN DASH}": "-",
    "\N{EM DASH}": "-",
    "\N{MINUS SIGN}": "-",
    "━": "-",
    "╸": "-",
    "╺": "-",
    "→": "->",
    "β": "beta",
    "\N{GREEK SMALL LETTER GAMMA}": "gamma",
    "\N{GREEK SMALL LETTER RHO}": "rho",
    "≥": ">=",
    "≤": "<=",
}
"""What is printed where an encoding lacks a sign; escapes for all others."""


class ForgivingOutput(io.RawIOBase):
    """A file descriptor whose failures are remembered in place of raised.

    Args:
        descriptor: written to, and left open.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.error: OSError | None = None

    def writable(self) -> bool:
        """Always."""
        return True

    def fileno(self) -> int:
        """The descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return os.isatty(self._descriptor)

    def write(self, data: "WriteableBuffer", /) -> int:
        """Write it, or forget it after a failure."""
        if self.error is None:
            try:
                return os.write(self._descriptor, data)
            except OSError as error:
                self.error = error
        return memoryview(data).nbytes


def prepare_terminal() -> None:
    """Have what this process prints go out as well as it can; called once, by the command."""
    codecs.register_error(HANDLER, _plain)
    _open_standard_files()
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8", errors=HANDLER))  # noqa: SIM115
        # Under a test, or closed by the shell, it is something else.
        if stream is getattr(sys, f"__{name}__") and isinstance(stream, io.TextIOWrapper):
            setattr(sys, name, _forgiving(stream))
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(_Redacting())


def stdout_failure() -> OSError | None:
    """What stdout could not take; None if it took all, or its reader has had enough."""
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    error = raw.error if isinstance(raw, ForgivingOutput) else None
    return None if error is None or error.errno == errno.EPIPE else error


def _forgiving(stream: io.TextIOWrapper) -> io.TextIOWrapper:
    raw = ForgivingOutput(stream.fileno())
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors=HANDLER,
        line_buffering=stream.line_buffering or raw.isatty(),
    )


def _open_standard_files() -> None:
    """Keep the numbers of closed ones from the next files that are opened: children print there."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest number that is free.
            os.open(os.devnull, os.O_RDWR)


def _plain(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end]
    words = (PLAIN.get(sign, sign.encode("ascii", "backslashreplace").decode()) for sign in signs)
    return "".join(words), error.end


class _Redacting(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))
