"""Paths as written by users."""

import os
from pathlib import Path

from data.errors import UserError


def expanded(written: str | Path) -> Path:
    """Expand `~` in a path.

    Raises:
        UserError: if the user's home folder is unknown, or the path is not a valid file name.
    """
    try:
        path = Path(written).expanduser()
    except RuntimeError as error:
        raise UserError(
            f"expected the path of a file or folder, found {str(written)!r}, whose home folder is "
            "unknown; write the full path."
        ) from error
    if "\0" in str(path) or not _is_text(path):
        raise UserError(
            f"expected the path of a file or folder in UTF-8, found {os.fsencode(path)!r}; rename "
            "it, or give another path."
        )
    return path


def _is_text(path: Path) -> bool:
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
