"""A job on disk: settings, and paths that hold wherever the home folder is mounted."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tasks.storage.home import write_atomically

JOB = "job.json"
_HOME = "{home}"


def write_job(folder: Path, job: Mapping[str, Any], home: Path) -> None:
    """Write a job; paths under the home folder are kept relative to it."""
    own = str(home)
    portable = _mapped(dict(job), lambda text: _moved(text, own, _HOME))
    write_atomically(folder / JOB, json.dumps(portable, indent=1) + "\n")


def read_job(folder: Path, home: Path) -> dict[str, Any]:
    """Read a job, with absolute paths under this host's home folder."""
    own = str(home)
    content = json.loads((folder / JOB).read_text(encoding="utf-8"))
    job: dict[str, Any] = _mapped(content, lambda text: _moved(text, _HOME, own))
    return job


def read_by(folder: Path) -> list[str]:
    """What a job reads of the home folder, relative to it: folders of artifacts."""
    content = json.loads((folder / JOB).read_text(encoding="utf-8"))
    inside = f"{_HOME}/"
    return sorted(
        {text.removeprefix(inside) for text in _texts(content) if text.startswith(inside)}
    )


def _moved(text: str, before: str, now: str) -> str:
    inside = text == before or text.startswith(f"{before}/")
    return now + text[len(before) :] if inside else text


def _mapped(value: Any, change: Callable[[str], str]) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {key: _mapped(item, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_mapped(item, change) for item in value]
    return value


def _texts(value: Any) -> Iterator[str]:  # noqa: ANN401 - JSON
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
