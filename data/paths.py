"""Paths as people write them."""

import os
from pathlib import Path

from data.errors import UserError


def expanded(written: str | Path) -> Path:
    """A path with `~` replaced by the home folder that it stands for.

    Raises:
        UserError: if its user is unknown here, or its name cannot be a file's.
    """
    try:
        path = Path(written).expanduser()
    except RuntimeError as error:
        raise UserError(
            f"expected the path of a file or folder, found {str(written)!r}, whose home folder is "
            "unknown here; write the path in full."
        ) from error
    if "\0" in str(path) or not _is_text(path):
        raise UserError(
            f"expected the path of a file or folder in UTF-8, found {os.fsencode(path)!r}; rename "
            "it, or name another."
        )
    return path


def _is_text(path: Path) -> bool:
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
