"""The labelled sources among a stage's inputs."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic

from tasks.engine.stage import A
from tasks.jobs.inputs.streams import SourceSet


@dataclass(frozen=True, kw_only=True)
class SourceInput(Generic[A]):
    """One source.

    Attributes:
        name: name of the source.
        data: prepared training data.
        classes: classes in use.
        head: head of the network that learns them.
    """

    name: str
    data: A
    classes: tuple[str, ...]
    head: str


def source_sets(sources: Iterable[SourceInput], home: Path) -> tuple[SourceSet, ...]:
    """Sources of a job that uses this home folder."""
    return tuple(
        SourceSet(
            name=source.name,
            data=home / source.data.folder,
            classes=source.classes,
            head=source.head,
        )
        for source in sources
    )


def head_and_classes(sources: Iterable[SourceInput]) -> dict[str, list[object]]:
    """Head and classes of every source by name, as used in identities."""
    return {source.name: [source.head, list(source.classes)] for source in sources}
