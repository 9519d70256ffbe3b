"""Printing that never fails, whatever the encoding or destination.

A run of hours must not end in a traceback because a reader closed a pipe, a disk is full, or a
terminal cannot show plus-minus.
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
"""Replacements for characters that an encoding lacks; others are escaped."""


class ForgivingOutput(io.RawIOBase):
    """A file descriptor whose failures are stored instead of raised.

    Args:
        descriptor: descriptor to write to, left open.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.error: OSError | None = None

    def writable(self) -> bool:
        """Return True."""
        return True

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return os.isatty(self._descriptor)

    def write(self, data: "WriteableBuffer", /) -> int:
        """Write data, or discard it after a failure."""
        if self.error is None:
            try:
                return os.write(self._descriptor, data)
            except OSError as error:
                self.error = error
        return memoryview(data).nbytes


def prepare_terminal() -> None:
    """Make printing in this process failure-proof; called once, by the command."""
    codecs.register_error(HANDLER, _plain)
    _open_standard_files()
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8", errors=HANDLER))  # noqa: SIM115
        # In tests, or if closed by the shell, it may be something else.
        if stream is getattr(sys, f"__{name}__") and isinstance(stream, io.TextIOWrapper):
            setattr(sys, name, _forgiving(stream))
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(_Redacting())


def stdout_failure() -> OSError | None:
    """Error of stdout; None if everything was written or the reader closed the pipe."""
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
    """Keep closed descriptors 0 to 2 from being reused by files, as children print to them."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # Takes the lowest free number.
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
