"""Data settings of an experiment file: data sets, sources, target, images."""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Annotated, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from data.catalog import FILE_READERS, OWN_READERS, READERS, media_of
from data.errors import DataError
from data.frames.sampling import USUAL_FRAMES
from data.listing import FileReader
from data.reader import Reader
from flows.experiment.fields import (
    CROSS,
    LATER,
    Different,
    Frozen,
    HeldOut,
    Name,
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
    """A data set and its readers.

    Attributes:
        reader: reader of the real files.
        embedded: reader of an embedded substitute without files, used without `--data`.
        folder: folder of the real files, under the data folder; if empty, the reader's default.
            For your own files, any path, relative to the experiment file's folder.
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
    def _folder_is_below(cls, folder: str, info: ValidationInfo) -> str:
        path = PurePosixPath(folder)
        outside = path.is_absolute() or ".." in path.parts
        if outside and info.data.get("reader") not in OWN_READERS.values():
            expected, advice = "a folder under the data folder", "name it without .. and first /"
            refuse([Finding((), said(expected, shown(folder), advice))])
        return "" if path == PurePosixPath() else str(path)

    @property
    def own(self) -> bool:
        """Whether it consists of the user's own files, relative to the experiment file."""
        return self.reader in OWN_READERS.values()

    @property
    def media(self) -> str:
        """Kind of data: `arrays`, `photos` or `clips`."""
        return media_of(self.reader)

    def reader_on(self, *, real: bool) -> str:
        """Name of the reader to use.

        Raises:
            DataError: if there are neither real files nor embedded data.
        """
        if real or self.embedded is not None:
            return self.reader if real else str(self.embedded)
        raise DataError(
            f"Expected a data folder for '{self.reader}', which has no embedded data in its place, "
            "found none: give it with --data."
        )

    @property
    def classes(self) -> list[str] | None:
        """Classes common to both readers; None if they depend on the files on disk."""
        if self.media != "arrays":
            return None
        names = READERS[self.reader].classes
        embedded = names if self.embedded is None else READERS[self.embedded].classes
        return [name for name in names if name in embedded]


class Images(Frozen):
    """How photos and clips become images.

    Attributes:
        side: side of the squares in pixels.
        frames: evenly spaced frames per clip.
        every: take every n-th frame instead of `frames`.
        max_broken: maximum share of broken files in a split, which are left out and listed.
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

    Attributes:
        name: name of the source; by default S1, S2, ...
        dataset: one of `[datasets]`; by default that of `data`.
        classes: class names, or `all` of the data set, or those of the `target`.
        data: a folder or table of your own files, instead of a named data set.
    """

    name: Word
    dataset: str
    classes: SourceClasses = "all"
    data: Annotated[Name | None, LATER] = None

    @field_validator("name")
    @classmethod
    def _name_is_free(cls, name: str) -> str:
        if name in RESERVED:
            expected = f"a name that is not {', '.join(RESERVED)}"
            refuse([Finding((), said(expected, shown(name), "rename the source"))])
        return name


class Target(Frozen):
    """The target's data set, classes and roles: drawn from a labelled data set, or given.

    With `labelled`, V is exactly the labelled files, except those held out for hyper-validation,
    and U is the unlabelled ones. Otherwise V is drawn, and U is the rest.

    Attributes:
        dataset: one of `[datasets]`; by default that of `labelled`.
        classes: class names, or `all` of the labelled ones.
        hyper_validation: total number of labelled samples for choosing models and settings; a clip
            counts once. Required if V is drawn; for labelled files also a share, or `cross`, which
            holds out each of them once.
        k: labelled samples per class in V. Required if V is drawn.
        draws: random choices of V per k.
        draws_with_u: number of these draws for rows that read U; by default all.
        labelled: a folder per class, or a table; relative to the experiment file's folder.
        unlabelled: folders of any files, or tables.
        test: a folder per class, or a table.
        corrections: a table of decisions on single files, which need not exist yet.
    """

    dataset: str
    classes: TargetClasses = "all"
    hyper_validation: HeldOut = None
    k: Annotated[tuple[Positive, ...], Different] = ()
    draws: Positive = 1
    draws_with_u: Annotated[Positive | None, LATER] = None
    labelled: Annotated[Name | None, LATER] = None
    unlabelled: Annotated[tuple[Name, ...], Different, LATER] = ()
    test: Annotated[Name | None, LATER] = None
    corrections: Annotated[Name | None, LATER] = None

    @model_validator(mode="after")
    def _roles_are_given(self) -> Self:
        refuse(self._wrong_as_labelled() if self.labelled else self._wrong_as_drawn())
        return self

    @property
    def has_test(self) -> bool:
        """Whether there is a test split."""
        return self.labelled is None or self.test is not None

    @property
    def cross_fitted(self) -> bool:
        """Whether every label is held out once."""
        return self.hyper_validation == CROSS

    def _wrong_as_drawn(self) -> Iterator[Finding]:
        """Missing sizes, and keys that only belong to labelled files."""
        for name in ("hyper_validation", "k"):
            if name not in self.model_fields_set:
                text = said("a value", "none", "add the key")
                yield Finding((name,), text, "absent")
        if "k" in self.model_fields_set and not self.k:
            expected = "an array of length at least 1"
            yield Finding(("k",), said(expected, "length 0", "add values"))
        held = self.hyper_validation
        if "hyper_validation" in self.model_fields_set and not isinstance(held, int):
            expected = "an integer, because V is drawn"
            advice = "write a number, or give labelled = PATH"
            yield Finding(("hyper_validation",), said(expected, shown(held), advice))
        for name in ("unlabelled", "test", "corrections"):
            if getattr(self, name):
                expected, found = "labelled = PATH beside it", "none"
                yield Finding((name,), said(expected, found, "add labelled, or remove the key"))

    def _wrong_as_labelled(self) -> Iterator[Finding]:
        """Missing unlabelled files, and keys that only belong to a drawn V."""
        if not self.unlabelled:
            expected = "unlabelled = PATH, files to label"
            yield Finding(("unlabelled",), said(expected, "none", "add the key"))
        for name, default in (("k", ()), ("draws", 1)):
            if getattr(self, name) != default:
                expected = f"no {name}, because V is the labelled files, as they are"
                yield Finding((name,), said(expected, shown(getattr(self, name)), "remove it"))
