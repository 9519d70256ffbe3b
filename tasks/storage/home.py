"""The home folder, which holds everything that runs write."""

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from data.atomic import sweep, write_atomically
from data.errors import UserError
from data.paths import expanded
from tasks.storage.locks import try_lock, unlock

FORMAT = 1
MARKER = "gradmix-home.json"
LOCK = ".lock"
LONGEST = 3500
"""Maximum bytes in a home folder's path; the system allows 4,096 for the files inside it."""


VARIABLE = "GRADMIX_HOME"
"""Environment variable that names the home folder if the command does not."""
USUAL = "runs"


class HomeError(UserError, ValueError):
    """The home folder cannot be used: one line with what was found and what to do."""


def home_named(given: str | None) -> Path:
    """The home folder: as given, else GRADMIX_HOME, else `runs`."""
    return Path(given or os.environ.get(VARIABLE) or USUAL)


def open_home(folder: Path) -> Path:
    """Create or check a home folder; returns its absolute path.

    Raises:
        HomeError: if it is not writable, holds foreign files, or was made by another version.
    """
    folder = expanded(folder).absolute()
    if len(os.fsencode(folder)) > LONGEST:
        raise HomeError(
            f"expected a home folder with a path of at most {LONGEST} bytes, found "
            f"{len(os.fsencode(folder))}; choose another with --home."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        marker = folder / MARKER
        if not marker.exists():
            _refuse_foreign(folder)
            content = {"format": FORMAT, "made_by": version("gradmix")}
            write_atomically(marker, json.dumps(content) + "\n")
        with tempfile.TemporaryFile(dir=folder):
            pass
        _check_format(marker)
    except OSError as error:
        raise HomeError(
            f"expected a writable home folder, found {folder}: {error.strerror}; "
            "choose another with --home."
        ) from error
    return folder


def check_home(folder: Path) -> Path:
    """Like `open_home`, but read-only: writes nothing, and the folder need not exist.

    Raises:
        HomeError: if it holds foreign files, or was made by another version.
    """
    folder = expanded(folder).absolute()
    try:
        if (folder / MARKER).exists():
            _check_format(folder / MARKER)
        elif folder.exists():
            _refuse_foreign(folder)
    except OSError as error:
        raise HomeError(
            f"expected a readable home folder, found {folder}: {error.strerror}; "
            "choose another with --home."
        ) from error
    return folder


def sweep_home(home: Path) -> None:
    """Remove temporary files left in a home folder by killed processes."""
    # Artifacts are renamed into place once complete, so `artifacts` holds no temporary files.
    patterns = ("fleet", "prefect*", "status", "reproductions/*", "work", "work/*/*")
    folders = [home, *(folder for pattern in patterns for folder in home.glob(pattern))]
    sweep(folder for folder in folders if folder.is_dir())


@contextlib.contextmanager
def exclusive(home: Path, advice: str = "choose another folder with --home") -> Iterator[None]:
    """Lock a folder exclusively; the lock ends with the process, however it ends.

    Raises:
        HomeError: if another process holds it.
        LockError: if the file system has no locks.
    """
    path = home / LOCK
    held = try_lock(path)
    if held is None:
        raise HomeError(
            f"another gradmix process ({_text(path) or 'unknown'}) is using {home}; wait for it, "
            f"or {advice}."
        )
    try:
        path.write_text(f"pid {os.getpid()}\n", encoding="ascii")
        yield
    finally:
        unlock(path, held)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _refuse_foreign(folder: Path) -> None:
    """Raise HomeError if the folder holds foreign files."""
    others = [entry.name for entry in folder.iterdir() if not entry.name.startswith(".")]
    if others:
        raise HomeError(
            f"expected an empty folder or a gradmix home, found {folder} with {others[0]!r} in it; "
            "choose another with --home."
        )


def _check_format(marker: Path) -> None:
    try:
        content = json.loads(marker.read_text(encoding="utf-8"))
        found, made_by = content["format"], content["made_by"]
    except (ValueError, KeyError, TypeError) as error:
        raise HomeError(
            f"expected a gradmix home, found an unreadable {marker}; "
            "choose another folder with --home."
        ) from error
    if found != FORMAT:
        raise HomeError(
            f"expected a home folder of format {FORMAT}, found format {found} made by gradmix "
            f"{made_by} in {marker.parent}; use that version, or another folder with --home."
        )
