"""SHA-256 digests of settings and files, which identify results."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from data.errors import DataError, one_line

_NESTED = (dict, list, tuple)


def canonical_json(obj: object) -> str:
    """Canonical JSON of a value: equal values give equal text on every machine.

    Keys are sorted, there are no spaces, non-ASCII characters are escaped and floats are written by
    `repr` (so `1` and `1.0` differ). Tuples are written as lists.

    Args:
        obj: None, bool, int, float, str, or lists, tuples and dictionaries of these.

    Raises:
        DataError: if a number is NaN or infinite, a dictionary key is not a string (JSON would
            silently write 1 as "1"), or a value cannot be written as JSON.
    """
    _require_string_keys(obj)
    try:
        return json.dumps(obj, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise DataError(
            f"Expected plain finite JSON values, found one that is not ({one_line(error)}): "
            "convert it before taking its digest."
        ) from error


def digest_json(obj: object) -> str:
    """Hex SHA-256 of `canonical_json(obj)`."""
    return hashlib.sha256(canonical_json(obj).encode("ascii")).hexdigest()


def sha256_bytes(content: bytes) -> str:
    """Hex SHA-256 of bytes in memory."""
    return hashlib.sha256(content).hexdigest()


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a file's bytes, read in blocks.

    Raises:
        DataError: if the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(
            f"Expected a readable file at {path}, found none ({error.strerror}): check the path."
        ) from error


def _require_string_keys(obj: object) -> None:
    parts: Iterable[object] = ()
    if isinstance(obj, dict):
        for key in obj:
            if not isinstance(key, str):
                raise DataError(
                    f"Expected string keys, found the key {key!r}: write it as a string, "
                    "since JSON would make it equal to its text."
                )
        parts = obj.values()
    elif isinstance(obj, list | tuple):
        parts = obj
    for part in parts:
        # Most parts are numbers and strings; skip the call for them.
        if isinstance(part, _NESTED):
            _require_string_keys(part)
