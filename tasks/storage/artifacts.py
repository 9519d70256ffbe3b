"""Artifacts: results of stages, named by identity and checked on every use."""

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from data.atomic import sync, write_atomically
from data.errors import DataError
from data.fingerprint import digest_json, sha256_file
from tasks.storage.artifact_mirror import LAST, Mirror
from tasks.storage.remote import Storage
from tasks.subjects import Subject

RESULT = LAST
SUBJECT = "subject"
"""Key of the note that holds an artifact's subject."""
SHORT = 32
"""Number of hexadecimal digits of an identity in its folder's name."""


@dataclass(frozen=True)
class Request:
    """One execution of a stage.

    Attributes:
        stage: name of the stage.
        version: version of the stage's code; incremented whenever equal requests give other bytes.
        config: settings that the result depends on, in plain JSON types.
        inputs: digest of each input, by role.
        seed: seed of all randomness.
        subject: subject of the execution; not part of the identity.
    """

    stage: str
    version: int
    config: Mapping[str, Any]
    inputs: Mapping[str, str]
    seed: int
    subject: Subject

    @property
    def label(self) -> str:
        """The subject's label."""
        return self.subject.label

    @property
    def document(self) -> dict[str, Any]:
        """Everything the identity depends on."""
        return {
            "stage": self.stage,
            "version": self.version,
            "config": dict(self.config),
            "inputs": dict(self.inputs),
            "seed": self.seed,
        }

    @cached_property
    def identity(self) -> str:
        """SHA-256 of the document."""
        return digest_json(self.document)


@dataclass(frozen=True)
class Artifact:
    """A finished stage's result.

    Attributes:
        label: display name.
        identity: identity of the request that made it.
        digest: SHA-256 of the files' contents and the summary; downstream identities use it.
        folder: path relative to the home folder.
        files: SHA-256 and size of each file, checked on every use.
        summary: small figures in plain JSON types, part of the digest.
        notes: run ids, times and the like, which may differ between equal results.
        document: what the identity was computed from.
        contents: digests that replace the hashes of files that also hold notes.
    """

    label: str
    identity: str
    digest: str
    folder: str
    files: Mapping[str, Mapping[str, Any]]
    summary: Mapping[str, Any]
    notes: Mapping[str, Any] = field(default_factory=dict)
    document: Mapping[str, Any] = field(default_factory=dict)
    contents: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Convert to plain JSON types."""
        return asdict(self)


class Store:
    """Finished artifacts and unfinished work under a home folder.

    Args:
        home: the home folder.
        storage: mirror of finished artifacts, or None.
    """

    def __init__(self, home: Path, storage: Storage | None = None) -> None:
        self.home = home
        self._mirror = None if storage is None else Mirror(home, storage, self.damage)

    def work(self, request: Request) -> Path:
        """Work folder of an execution; its checkpoints and logs survive a kill."""
        folder = self._work_folder(request)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def find(self, request: Request) -> Artifact | None:
        """Find the intact artifact of a request, locally or else in the storage."""
        folder = self.folder(request)
        artifact = _consistent_result(folder)
        if artifact is not None and _damaged_file(folder, artifact) is not None:
            artifact = None
        if self._mirror is not None:
            if artifact is not None:
                self._mirror.offer(self._key(folder))
            elif self._mirror.find(self._key(folder)):
                return read_artifact(folder / RESULT)
        return artifact

    def damage(self, folder: Path) -> str | None:
        """Describe what is wrong with an artifact's folder; None if it is intact."""
        artifact = _consistent_result(folder)
        if artifact is None:
            return f"{RESULT} is missing or damaged"
        return _damaged_file(folder, artifact)

    def commit(
        self,
        request: Request,
        output: Path,
        summary: Mapping[str, Any],
        notes: Mapping[str, Any],
        contents: Mapping[str, str],
    ) -> Artifact:
        """Turn an output folder into the artifact of a request, atomically.

        Args:
            request: the request that was executed.
            output: folder with the files, on the home folder's file system; it is moved.
            summary: figures that are part of the result.
            notes: figures that are not part of the result.
            contents: digests that replace the hashes of files that also hold notes.
        """
        files = {
            path.name: {"sha256": sha256_file(path), "bytes": path.stat().st_size}
            for path in sorted(output.iterdir())
        }
        folder = self.folder(request)
        artifact = Artifact(
            label=request.label,
            identity=request.identity,
            digest=_digest(files, contents, summary),
            folder=self._key(folder),
            files=files,
            summary=dict(summary),
            notes=dict(notes),
            document=request.document,
            contents=dict(contents),
        )
        for path in output.iterdir():
            sync(path)
        write_atomically(output / RESULT, json.dumps(artifact.to_json(), indent=1) + "\n")
        if folder.exists():
            shutil.rmtree(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        output.rename(folder)
        sync(folder.parent)
        if self._mirror is not None:
            self._mirror.send(artifact.folder)
        return artifact

    def flush(self) -> list[str]:
        """Retry sending pending artifacts; returns the folders that exist only locally."""
        return [] if self._mirror is None else self._mirror.flush()

    def forget(self, artifact: Artifact) -> None:
        """Remove an artifact, locally and in the storage, so that it is made again.

        Raises:
            StorageError: if the storage is unreachable or denies access; the local copy then stays.
        """
        if self._mirror is not None:
            self._mirror.drop(artifact.folder)
        shutil.rmtree(self.home / artifact.folder, ignore_errors=True)

    def discard_work(self, request: Request) -> None:
        """Remove an execution's work folder."""
        shutil.rmtree(self._work_folder(request), ignore_errors=True)

    def folder(self, request: Request) -> Path:
        """Folder of a request's artifact, whether or not it exists."""
        return self.home / "artifacts" / request.stage / request.identity[:SHORT]

    def _key(self, folder: Path) -> str:
        return str(folder.relative_to(self.home))

    def _work_folder(self, request: Request) -> Path:
        return self.home / "work" / request.stage / request.identity[:SHORT]


def stored_artifacts(home: Path, stage: str) -> Iterator[Artifact]:
    """Artifacts of a stage with intact result files; their other files are not checked."""
    for folder in sorted((home / "artifacts" / stage).glob("*/")):
        artifact = _consistent_result(folder)
        if artifact is not None:
            yield artifact


def read_artifact(path: Path) -> Artifact:
    """Read a result file."""
    return Artifact(**json.loads(path.read_text(encoding="utf-8")))


def _consistent_result(folder: Path) -> Artifact | None:
    """Read a result file; None unless it matches its own digests and the folder's name."""
    try:
        artifact = read_artifact(folder / RESULT)
        identity = digest_json(artifact.document)
        digest = _digest(artifact.files, artifact.contents, artifact.summary)
    except (OSError, ValueError, TypeError, AttributeError, KeyError):
        return None
    found = (artifact.identity, artifact.digest, folder.name)
    return artifact if found == (identity, digest, identity[:SHORT]) else None


def _damaged_file(folder: Path, artifact: Artifact) -> str | None:
    """Describe the first file that is not as the result says; None if all are."""
    for name, expected in artifact.files.items():
        path = folder / name
        try:
            same = path.stat().st_size == expected["bytes"]
            same = same and sha256_file(path) == expected["sha256"]
        except FileNotFoundError:
            return f"{name} is missing"
        except (OSError, DataError):
            return f"{name} is unreadable"
        if not same:
            return f"{name} is damaged"
    return None


def _digest(
    files: Mapping[str, Mapping[str, Any]], contents: Mapping[str, str], summary: Mapping[str, Any]
) -> str:
    content = {name: contents.get(name, entry["sha256"]) for name, entry in files.items()}
    return digest_json({"files": content, "summary": dict(summary)})
