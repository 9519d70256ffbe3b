"""The data of an experiment file, typed and frozen: data sets, sources, target, images."""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from data.catalog import FILE_READERS, READERS, media_of
from data.errors import DataError
from data.frames.decode import USUAL_FRAMES
from data.listing import FileReader
from data.reader import Reader
from flows.experiment.fields import (
    Different,
    Frozen,
    Positive,
    SourceClasses,
    TargetClasses,
    Word,
    one_of,
)
from flows.experiment.issues import Finding, said, shown
from flows.experiment.validation import refuse
from gradmix.problem import TARGET_HEAD

RESERVED = ("V", "U", "S_u", TARGET_HEAD)


class Dataset(Frozen):
    """Which reader gives a data set: `reader` on real files, `embedded` without.

    `folder` is where the real files lie under the data folder; empty: where the reader looks.
    """

    reader: str
    embedded: str | None = None
    folder: str = ""

    @field_validator("reader")
    @classmethod
    def _reader_exists(cls, name: str) -> str:
        return one_of([*READERS, *FILE_READERS], name)

    @field_validator("embedded")
    @classmethod
    def _embedded_exists(cls, name: str | None, info: ValidationInfo) -> str | None:
        if name is None or "reader" not in info.data:
            return name
        media = media_of(info.data["reader"])
        readers: Mapping[str, Reader | FileReader] = {**READERS, **FILE_READERS}
        embedded = [known for known, reader in readers.items() if reader.embedded]
        return one_of([known for known in embedded if media_of(known) == media], name)

    @field_validator("folder")
    @classmethod
    def _folder_is_below(cls, folder: str) -> str:
        path = PurePosixPath(folder)
        if path.is_absolute() or ".." in path.parts:
            expected, advice = "a folder under the data folder", "name it without .. and first /"
            refuse([Finding((), said(expected, shown(folder), advice))])
        return "" if path == PurePosixPath() else str(path)

    @property
    def media(self) -> str:
        """Kind of data: `arrays`, `photos` or `clips`."""
        return media_of(self.reader)

    def reader_on(self, *, real: bool) -> str:
        """Name of the reader to use.

        Raises:
            DataError: if there are no real files, and no embedded data in their place.
        """
        if real or self.embedded is not None:
            return self.reader if real else str(self.embedded)
        raise DataError(
            f"Expected a data folder for '{self.reader}', which has no embedded data in its place, "
            "found none: give it with --data."
        )

    @property
    def classes(self) -> list[str] | None:
        """The classes that both readers give; None if the files on disk decide."""
        if self.media != "arrays":
            return None
        names = READERS[self.reader].classes
        embedded = names if self.embedded is None else READERS[self.embedded].classes
        return [name for name in names if name in embedded]


class Images(Frozen):
    """How photos and clips become images.

    Attributes:
        side: of the squares, pixels.
        frames: of every clip, evenly spaced.
        every: the n-th frame and its multiples, in place of `frames`.
        max_broken: share of the files of a split that may be broken: they are left out and listed.
    """

    side: Positive = 64
    frames: Positive = USUAL_FRAMES
    every: Positive | None = None
    max_broken: Annotated[float, Field(ge=0, le=1)] = 0.05

    @property
    def sampling(self) -> dict[str, int]:
        """Which frames of a clip to take."""
        return {"every": self.every} if self.every else {"frames": self.frames}


class Source(Frozen):
    """One labelled source: the training split of a data set, limited to some classes.

    `all` are those of the data set, `target` those of the target.
    """

    name: Word
    dataset: str
    classes: SourceClasses = "all"

    @field_validator("name")
    @classmethod
    def _name_is_free(cls, name: str) -> str:
        if name in RESERVED:
            expected = f"a name that is not {', '.join(RESERVED)}"
            refuse([Finding((), said(expected, shown(name), "rename the source"))])
        return name


class Target(Frozen):
    """The target's data set, classes and roles.

    `hyper_validation` counts all its samples, `k` those of a class in V; of clips, not frames.
    """

    dataset: str
    classes: TargetClasses = "all"
    hyper_validation: Positive
    k: Annotated[tuple[Positive, ...], Field(min_length=1), Different]
    draws: Positive = 1
