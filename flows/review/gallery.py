"""Contents of the review page: a run's unlabelled images and its ensemble's predictions."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.tables.file_names import PSEUDO_LABELS
from flows.labelling.ensemble_run import EnsembleRun, images_of
from flows.labelling.files import file_roots, find_file, full_names
from tasks.labelling.certified import read_labels_of_u
from tasks.labelling.opinions import Opinions


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """The images of U: photos, clips by their middle frame, or rows of arrays.

    Attributes:
        title: title of the run.
        names: names of the M images.
        files: paths of the files; None if only stored pixels are available.
        rows: rows of the stored images [M].
        stored: folder of the prepared images.
        opinions: predictions of the ensemble.
        probabilities: float32 [M, R, C], predictions of its members.
        classes: class names by index.
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
        """The ensemble's label of each image."""
        return [self.classes[label] for label in self.opinions.label]


def open_gallery(run: EnsembleRun) -> Gallery:
    """Read the predictions of a run's ensemble, and find the files.

    Raises:
        DataError: if the table is damaged.
    """
    of_u = read_labels_of_u(run.home / run.pseudo.folder / PSEUDO_LABELS)
    roots = file_roots(run.record)
    found = [find_file(name, roots) for name in of_u.names]
    # Browsers cannot show a video as an image, so clips are shown by a stored frame.
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
