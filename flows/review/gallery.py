"""What the review page shows: the unlabelled images of a run, and what its ensemble says."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.tables.pseudo_labels import FILE
from flows.labelling.ensemble_run import EnsembleRun, images_of
from flows.labelling.files import file_roots, find_file, full_names
from tasks.labelling.certified import read_labels_of_u
from tasks.labelling.opinions import Opinions


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """The images of U: photos, clips by their middle frame, or rows of arrays.

    Attributes:
        title: of the run.
        names: of the M images.
        files: where each lies; None: only its stored pixels are there.
        rows: of the stored images, M of them.
        stored: folder of the prepared images.
        opinions: of the ensemble.
        probabilities: float32 [M, R, C], of its members.
        classes: by position.
    """

    title: str
    names: tuple[str, ...]
    files: tuple[Path | None, ...]
    rows: tuple[int, ...]
    stored: Path
    opinions: Opinions
    probabilities: Any
    classes: tuple[str, ...]

    def __len__(self) -> int:
        """Number of images."""
        return len(self.names)

    @property
    def labels(self) -> list[str]:
        """What the ensemble says of each."""
        return [self.classes[label] for label in self.opinions.label]


def open_gallery(run: EnsembleRun) -> Gallery:
    """Read what the ensemble of a run says, and find the files.

    Raises:
        DataError: if the table is damaged.
    """
    of_u, roots = read_labels_of_u(run.home / run.pseudo.folder / FILE), file_roots(run.record)
    found = [find_file(name, roots) for name in of_u.names]
    # A browser shows no video as an image: of clips, the stored frame is shown.
    photos = [None] * len(found) if run.labels.clips is not None else found
    return Gallery(
        title=run.record.title,
        names=tuple(full_names(of_u.names, roots)),
        files=tuple(photos),
        rows=of_u.rows,
        stored=run.home / images_of(run).folder,
        opinions=of_u.opinions,
        probabilities=of_u.units.probabilities,
        classes=of_u.classes,
    )
