"""Decisions made on the review page, saved at once."""

import threading
from dataclasses import dataclass
from pathlib import Path

from data.errors import UserError
from data.names import fold, normal
from data.readers.corrections import Correction, Decision, read_corrections, write_corrections
from flows.review.gallery import Gallery


class RefusedError(UserError, ValueError):
    """A decision was rejected; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Decided:
    """The decision on an image; None if there is none or it was undone."""

    image: int
    decision: Decision | None
    label: str


class Decisions:
    """Decisions on the images of a gallery, in a table that is always complete.

    Rows for other files are kept unchanged.

    Args:
        gallery: the images.
        table: `corrections.csv`, read if it exists, else created with the first decision.

    Raises:
        DataError: if the table exists and is invalid.
    """

    def __init__(self, gallery: Gallery, table: Path) -> None:
        self._gallery, self.table = gallery, table.absolute()
        self._lock = threading.Lock()
        self._history: list[tuple[int, Correction | None]] = []
        places = {self._path(image): image for image in range(len(gallery))}
        self._others: list[Correction] = []
        self._known: dict[int, Correction] = {}
        for one in read_corrections(self.table) if self.table.exists() else ():
            image = places.get(one.path)
            if image is None:
                self._others.append(one)
            else:
                self._known[image] = one

    def __len__(self) -> int:
        """Number of decided images."""
        return len(self._known)

    @property
    def all(self) -> list[Decided]:
        """All decisions, ordered by image."""
        return [self._decided(image) for image in sorted(self._known)]

    def decide(self, image: int, decision: Decision, label: str) -> Decided:
        """Make a decision, and save it before returning.

        Args:
            image: number of the image in the gallery.
            decision: the decision; a change to the predicted class counts as a confirmation.
            label: new class, for a change.

        Raises:
            RefusedError: if there is no such image, or no such class.
            OSError: if it cannot be saved; the decision is then not made.
        """
        if not 0 <= image < len(self._gallery):
            raise RefusedError(f"expected an image below {len(self._gallery)}, found {image}.")
        said = self._gallery.labels[image]
        new = said if decision == "confirm" else "" if decision == "reject" else self._class(label)
        if new == said:
            decision = "confirm"
        one = Correction(path=self._path(image), decision=decision, label=new)
        with self._lock:
            before = self._known.get(image)
            self._put(image, one)
            self._history.append((image, before))
        return self._decided(image)

    def undo(self) -> Decided | None:
        """Undo the last decision of this session; None if there is none."""
        with self._lock:
            if not self._history:
                return None
            image, before = self._history[-1]
            self._put(image, before)
            self._history.pop()
        return self._decided(image)

    def _put(self, image: int, one: Correction | None) -> None:
        changed = {**self._known, image: one}
        kept = {place: correction for place, correction in changed.items() if correction}
        write_corrections([*self._others, *kept.values()], self.table)
        self._known = kept

    def _decided(self, image: int) -> Decided:
        one = self._known.get(image)
        if one is None:
            return Decided(image=image, decision=None, label="")
        return Decided(image=image, decision=one.decision, label=one.label)

    def _class(self, label: str) -> str:
        wanted = fold(normal(label).strip())
        for name in self._gallery.classes:
            if fold(name) == wanted:
                return name
        known = ", ".join(self._gallery.classes[:12])
        raise RefusedError(
            f"expected a class of this run ({known}), found {label.strip()[:80]!r}; a new class "
            "needs labelled images of its own: add some to the labelled ones, and run again."
        )

    def _path(self, image: int) -> Path:
        """Path of an image's file; images without one are named as if next to the table."""
        return self.table.parent / self._gallery.names[image]
