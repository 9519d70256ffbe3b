"""What the review page shows: the unlabelled images of a run, and what its ensemble says."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.tables.pseudo_labels import FILE, read_pseudo_labels
from flows.labelling.ensemble_run import EnsembleRun, images_of
from flows.labelling.files import file_roots, find_file
from tasks.labelling.certified import names_of
from tasks.labelling.opinions import Opinions, opinions, units


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
    table = read_pseudo_labels(run.home / run.pseudo.folder / FILE)
    of_u = units(table.member_probabilities, table.clip)
    names, roots = names_of(table, of_u), file_roots(run.record)
    found = [find_file(name, roots) for name in names]
    # A browser shows no video as an image: of clips, the stored frame is shown.
    photos = [None] * len(names) if table.clip is not None else found
    return Gallery(
        title=run.record.title,
        names=tuple(str(path) if path else name for path, name in zip(found, names, strict=True)),
        files=tuple(photos),
        rows=tuple(table.sample_id[of_u.middle].tolist()),
        stored=run.home / images_of(run).folder,
        opinions=opinions(of_u.probabilities),
        probabilities=of_u.probabilities,
        classes=table.classes,
    )
