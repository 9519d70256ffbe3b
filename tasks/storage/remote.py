"""Remote storage for files of a home folder: a bucket, or a folder mounted by several hosts.

Anyone who can write there is trusted with figures, but not with paths or code: paths stay inside
the home folder, and no code is unpickled.
"""

import contextlib
import errno
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import fsspec

from data.atomic import replacing
from tasks.errors import StageError, first_line

VARIABLE = "GRADMIX_STORAGE"
MARKER = "gradmix-storage.json"
FORMAT = 1
FULL_DISK = (errno.ENOSPC, errno.EDQUOT)

S3_OPTIONS: dict[str, Any] = {
    "config_kwargs": {"retries": {"mode": "standard", "total_max_attempts": 2}}
}
"""s3fs retries by itself; on top of botocore's five attempts, a hung server costs six minutes."""

Marks = dict[str, str]
"""Paths relative to the home folder, each with a mark that changes with the file."""


class StorageError(StageError):
    """The storage cannot be used: one line with what was found and what to do."""


def open_storage(url: str | None = None) -> "Storage | None":
    """Open and check the storage of a URL or GRADMIX_STORAGE; None if neither is set.

    Raises:
        StorageError: if the URL is invalid, or the storage missing, unreachable or closed to us.
    """
    url = url or os.environ.get(VARIABLE)
    if not url:
        return None
    storage = Storage(url)
    storage.check()
    return storage


class Storage:
    """Files, addressed by their paths in the home folder.

    Each file is written atomically. Credentials come from the environment, never from the URL.

    Args:
        url: any URL fsspec supports, such as `s3://bucket/prefix` or `file:///mnt/shared`.
    """

    def __init__(self, url: str) -> None:
        _refuse_secrets(url)
        self.url = url.rstrip("/")
        # Cached listings would hide what other hosts write.
        options: dict[str, Any] = {"use_listings_cache": False, "skip_instance_cache": True}
        options |= S3_OPTIONS if url.startswith("s3:") else {}
        try:
            self._fs, root = fsspec.core.url_to_fs(url, **options)
        except ImportError as error:
            raise StorageError(
                f"expected what {self.url} needs to be installed, found: {first_line(error)}; "
                "for S3: pip install 'gradmix[s3]'."
            ) from error
        except ValueError as error:
            raise self._error("use", error) from error
        self._root = root.rstrip("/")
        self._local = bool(getattr(self._fs, "local_file", False))
        if not self._root:
            raise StorageError(f"expected a bucket or folder in the storage's URL, found {url}.")

    def check(self) -> None:
        """Check that the storage is reachable, and mark it as ours.

        Raises:
            StorageError: if it is missing, unreachable, denies access, or has another version.
        """
        # A missing mount must not become a folder on the disk below it.
        if self._local and not Path(self._root).is_dir():
            raise StorageError(f"expected a folder at {self.url}, found none; make or mount it.")
        marker = self.read(MARKER)
        if marker is None:
            with tempfile.TemporaryDirectory() as here:
                Path(here, MARKER).write_text(json.dumps({"format": FORMAT}), encoding="utf-8")
                self.push(Path(here), [MARKER])
        elif marker != json.dumps({"format": FORMAT}).encode():
            raise StorageError(
                f"expected a storage of format {FORMAT}, found another {MARKER} in {self.url}; "
                "use the version that made it, or another prefix."
            )

    def push(self, home: Path, paths: Iterable[str]) -> None:
        """Upload files one after the other, in this order."""
        for path in paths:
            with self._reported("write to"):
                self._put(home / inside(path), self._place(path))

    def pull(self, home: Path, paths: Iterable[str]) -> None:
        """Download files in this order, skipping those that no longer exist.

        Raises:
            StorageError: if the storage is unreachable or denies access, or a path leaves the home.
            OSError: if the local disk is full.
        """
        for path in paths:
            with self._reported("read from"), contextlib.suppress(FileNotFoundError):
                self._get(self._place(path), home / inside(path))

    def read(self, path: str) -> bytes | None:
        """The content of a small file; None if it does not exist."""
        with self._reported("read from"), contextlib.suppress(FileNotFoundError):
            content: bytes = self._fs.cat_file(self._place(path))
            return content
        return None

    def listing(self, folder: str) -> Marks:
        """Every file below a folder; one request per thousand files."""
        found: dict[str, dict[str, Any]] = {}
        with self._reported("list"), contextlib.suppress(FileNotFoundError):
            found = self._fs.find(self._place(folder), detail=True)
        paths = {name.removeprefix(f"{self._root}/"): info for name, info in found.items()}
        return {
            inside(path): _mark(info)
            for path, info in paths.items()
            if not path.endswith(".tmp")  # partial copy, see `_put`
        }

    def remove(self, path: str) -> None:
        """Remove a file, or a folder and its contents, if it exists."""
        if any(character in path for character in "*?["):
            raise StorageError(f"expected one path to remove, found the pattern {path!r}.")
        with self._reported("remove from"), contextlib.suppress(FileNotFoundError):
            self._fs.rm(self._place(path), recursive=True)

    def _place(self, path: str) -> str:
        return f"{self._root}/{inside(path)}"

    def _put(self, source: Path, place: str) -> None:
        """Bucket uploads are atomic; in a folder, write a temporary file and rename it."""
        if not self._local:
            self._fs.put_file(str(source), place)
            return
        if source.name != MARKER and not Path(self._root, MARKER).exists():
            raise StorageError(f"expected {MARKER} in {self.url}, found none; mount it again.")
        Path(place).parent.mkdir(parents=True, exist_ok=True)
        with replacing(Path(place)) as temporary:
            self._fs.put_file(str(source), str(temporary))

    def _get(self, place: str, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target) as temporary:
            self._fs.get_file(place, str(temporary))

    @contextlib.contextmanager
    def _reported(self, doing: str) -> Iterator[None]:
        """Turn the errors of the various fsspec backends into StorageError."""
        try:
            yield
        except StageError:
            raise
        except Exception as error:
            full = isinstance(error, OSError) and error.errno in FULL_DISK
            if full and doing == "read from":
                raise
            raise self._error(doing, error) from error

    def _error(self, doing: str, error: Exception) -> StorageError:
        advice = "check that the folder is there and yours to write"
        if not getattr(self, "_local", False):
            advice = "check the bucket and the AWS_* variables in the environment"
        found = first_line(error).rstrip(".")
        return StorageError(f"expected to {doing} {self.url}, found: {found}; {advice}.")


def marks_of(home: Path, paths: Iterable[str]) -> Marks:
    """Marks of existing local files; not comparable with a storage's marks."""
    marks = {}
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            status = (home / path).stat()
            marks[path] = f"{status.st_size} {status.st_mtime_ns} {status.st_ino}"
    return marks


def changed(now: Mapping[str, str], before: Mapping[str, str]) -> list[str]:
    """New and changed paths, deepest first, so an outcome comes after its output folder."""
    paths = [path for path, mark in now.items() if before.get(path) != mark]
    return sorted(paths, key=lambda path: (-path.count("/"), path))


def inside(path: str) -> str:
    """Return a path if it stays in the home folder.

    Raises:
        StorageError: if it does not.
    """
    if "\0" in path or any(part in ("", ".", "..") for part in path.split("/")):
        raise StorageError(
            f"expected a path inside the home folder, found {path!r}; remove it from the storage."
        )
    return path


def _mark(info: Mapping[str, Any]) -> str:
    tag = info.get("ETag") or info.get("etag")
    return str(tag or f"{info.get('size')} {info.get('mtime') or info.get('created')}")


def _refuse_secrets(url: str) -> None:
    parts = urlsplit(url)
    if "@" in parts.netloc or parts.query or parts.fragment or "::" in url:
        raise StorageError(
            "expected a storage URL such as s3://bucket/prefix, found one with a key or options in "
            "it; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment instead."
        )
