"""Databases of Prefect and MLflow, made once per installed version and copied into new homes.

Their migrations take seconds, and MLflow cannot open the database of an interrupted migration. So
an empty database is made in a cache (`$XDG_CACHE_HOME/gradmix`, by default `~/.cache/gradmix`), and
files are renamed into place once complete.
"""

import contextlib
import logging
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from data.atomic import replacing, sweep
from tasks.errors import StageError
from tasks.execution.parent_death import python_module
from tasks.execution.processes import kill_group, last_line, start_tethered
from tasks.storage.database_url import side_files, sqlite_url
from tasks.storage.locks import locked
from tasks.tracking.tracker import DATABASE as TRACKING_DATABASE

LIMIT_S = 600.0
"""Time limit for making a database; on an idle core Prefect takes nine seconds, MLflow two."""
_MARK = 0x67726164
"""SQLite's `user_version`, which neither library uses, of databases made here."""
_FOREIGN = ("PREFECT_", "MLFLOW_", "SQLALCHEMY_", "ALEMBIC_")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class DatabaseKind:
    """A kind of database, and how to make an empty one.

    Attributes:
        library: distribution that uses it; each version has its own.
        maker: module that makes one at a given path.
        used: table that has rows once the database was opened, but none while it is half made.
            Empty if a half-made one can be opened: Prefect resumes its migrations.
        counted: table with rows that a user may miss.
        variables: environment of the maker.
    """

    library: str
    maker: str
    used: str = ""
    counted: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)


PREFECT = DatabaseKind(library="prefect", maker="tasks.execution.prefect_database")
MLFLOW = DatabaseKind(
    library="mlflow",
    maker="tasks.tracking.mlflow_database",
    used="experiments",
    counted="runs",
    variables={"MLFLOW_DISABLE_TELEMETRY": "true"},
)


def ensure_database(kind: DatabaseKind, path: Path) -> None:
    """Make sure there is a complete database at a path; an existing one is kept.

    A half-made one, which versions before 0.2 could leave, is renamed and replaced, with a warning
    that states its contents.

    Args:
        kind: kind of the database.
        path: path of the file; its folder exists.

    Raises:
        StageError: if it cannot be made.
        OSError: if the folder cannot be written to.
    """
    if _is_usable(kind, path):
        return
    with locked(path.with_name(f".{path.name}.lock")):
        if _is_usable(kind, path):
            return
        if path.exists() and path.stat().st_size:
            _set_aside(kind, path)
        for left in side_files(path):
            # SQLite would replay the log of a database that was moved away into this one.
            left.unlink(missing_ok=True)
        with replacing(path) as temporary:
            _copy_or_make(kind, temporary)


def ensure_tracking(home: Path) -> None:
    """Make sure MLflow's database in the home folder is complete, if it is to be used.

    Args:
        home: the home folder, after `configure`, which sets MLFLOW_TRACKING_URI.
    """
    if os.environ.get("MLFLOW_TRACKING_URI") == sqlite_url(home / TRACKING_DATABASE):
        ensure_database(MLFLOW, home / TRACKING_DATABASE)


def cache_folder() -> Path | None:
    """Cache folder of empty databases; None if there is no usable place."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    try:
        folder = (Path(given) if Path(given).is_absolute() else Path.home() / ".cache") / "gradmix"
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return None
    return folder if os.access(folder, os.W_OK) else None


def _copy_or_make(kind: DatabaseKind, target: Path) -> None:
    cache = cache_folder()
    if cache is None:
        _make(kind, target)
        return
    sweep([cache])
    empty = cache / f"empty-{kind.library}-{version(kind.library)}.db"
    try:
        if not _is_whole(empty):
            with replacing(empty) as temporary:
                _make(kind, temporary)
        shutil.copyfile(empty, target)
    except OSError:
        # A full or read-only cache must not stop work.
        _make(kind, target)


def _make(kind: DatabaseKind, target: Path) -> None:
    target.unlink(missing_ok=True)
    log = target.with_name(f"{target.name}.log")
    command = [*python_module(kind.maker), str(target)]
    process = start_tethered(command, log, target.parent, kind.variables, leave_out=_FOREIGN)
    try:
        process.wait(LIMIT_S)
        if process.returncode != 0:
            raise StageError(
                f"expected an empty database of {kind.library} {version(kind.library)}, found that "
                f"it could not be made: {last_line(log) or 'no message'} [exit code "
                f"{process.returncode}]; check that the installation is whole: pip check."
            )
        _mark(target)
    except subprocess.TimeoutExpired as error:
        raise StageError(
            f"expected an empty database of {kind.library} within {LIMIT_S:g} s, found it half "
            "made; start again when this machine is less busy."
        ) from error
    finally:
        kill_group(process)
        for left in (log, *side_files(target)):
            left.unlink(missing_ok=True)


def _is_usable(kind: DatabaseKind, path: Path) -> bool:
    """Whether its library can open a database; its version is not checked."""
    if not path.exists() or not path.stat().st_size:
        return False
    if not kind.used:
        return True
    try:
        with closing(_opened(path)) as database:
            # Our copies have no rows until opened.
            return _is_marked(database) or _has_rows(database, kind.used)
    except sqlite3.DatabaseError:
        # Damaged or locked, not half made: let its library report that.
        return True


def _has_rows(database: sqlite3.Connection, table: str) -> bool:
    there = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
    if database.execute(there, [table]).fetchone() is None:
        return False
    return database.execute(f'SELECT 1 FROM "{table}" LIMIT 1').fetchone() is not None  # noqa: S608 - our own name


def _is_marked(database: sqlite3.Connection) -> bool:
    (found,) = database.execute("PRAGMA user_version").fetchone()
    return bool(found == _MARK)


def _is_whole(path: Path) -> bool:
    try:
        with closing(_opened(path)) as database:
            return _is_marked(database)
    except sqlite3.DatabaseError:
        return False


def _mark(path: Path) -> None:
    """Merge the write-ahead log into the file and mark it as complete."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("PRAGMA journal_mode = DELETE")
        database.execute(f"PRAGMA user_version = {_MARK}")


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=30.0)


def _set_aside(kind: DatabaseKind, path: Path) -> None:
    number = 1
    while (aside := path.with_name(f"{path.stem}.half-made-{number}{path.suffix}")).exists():
        number += 1
    held = 0
    with contextlib.suppress(sqlite3.DatabaseError), closing(_opened(path)) as database:
        (held,) = database.execute(
            f'SELECT count(*) FROM "{kind.counted}"'  # noqa: S608 - our own name
        ).fetchone()
    for file in side_files(path):
        file.replace(aside.with_name(f"{aside.name}{file.name.removeprefix(path.name)}"))
    path.replace(aside)
    logger.warning(
        "found a half-made database of %s, left by a killed process; it holds %d %s; made it again "
        "and kept the old one as %s",
        kind.library,
        held,
        kind.counted,
        aside,
    )
