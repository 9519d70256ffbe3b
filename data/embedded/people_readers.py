"""Data sets of drawn people: a target of clips, and two sources of photos.

They stand in for real data: `figure_clips` for UCF101, `figure_photos` for BU101 (the same classes
in professional photos) and `sport_photos` for MPII (photos of other classes).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from data.embedded.actions import EXERCISES, SPORTS
from data.embedded.people_clips import draw_clip, encode
from data.embedded.people_photos import draw_sport_photo, draw_studio_photo, save_photo
from data.listing import DrawnReader, File, Listing, Media, check_train
from data.reader import SPLITS, check_split
from data.readers.file_tree import check_complete, not_zero, read_tree

GROUPS = {
    "test": range(1, 5),
    "train": range(5, 13),
}  # the first groups are the test split, as in UCF101
CLIPS_PER_GROUP = {"test": 2, "train": 3}
PHOTOS_PER_CLASS = 60


@dataclass(frozen=True)
class FigureClipsReader:
    """Draws clips of six exercises as `<Class>/v_<Class>_gNN_cNN.avi`, the layout of UCF101.

    Each class has 8 groups of 3 training clips and 4 other groups of 2 test clips.
    """

    name: str = "figure_clips"
    media: Media = "clips"
    embedded: bool = True
    version: int = 1
    classes: tuple[str, ...] = tuple(EXERCISES)

    def make(self, folder: Path, split: str) -> None:
        """Write the clips of a split, deterministically.

        Raises:
            DataError: if the split is neither "train" nor "test".
        """
        for file, group, number in self._clips(split):
            encode(*draw_clip(file.label, group, number), _place(folder, file))

    def list(self, root: Path, split: str, *, partial: bool = False) -> Listing:
        """List the clips that `make` wrote into `root`, class by class.

        Raises:
            DataError: if the split is neither "train" nor "test", or a clip is missing and
                `partial` is False.
        """
        files = [file for file, _, _ in self._clips(split)]
        return _listing(self, root, files, f"drawn clips (our {SPLITS[split]} split)", partial)

    def _clips(self, split: str) -> Iterator[tuple[File, int, int]]:
        """Each clip's file, group and number in the group."""
        check_split(split)
        for label, name in enumerate(self.classes):
            for group in GROUPS[split]:
                for number in range(1, CLIPS_PER_GROUP[split] + 1):
                    path = f"{name}/v_{name}_g{group:02}_c{number:02}.avi"
                    yield File(path=path, label=label, group=f"{name}_g{group:02}"), group, number


@dataclass(frozen=True)
class DrawnPhotosReader:
    """Draws 60 photos per class, for training only, as `<Class>/<Class>_NN.jpg`.

    Attributes:
        draw: draws a photo, given the position of its class and a number from 1.
    """

    name: str
    classes: tuple[str, ...]
    draw: Callable[[int, int], Image.Image]
    media: Media = "photos"
    embedded: bool = True
    version: int = 1

    def make(self, folder: Path, split: str) -> None:
        """Write all photos, deterministically.

        Raises:
            DataError: if the split is not "train".
        """
        for file, number in self._photos(split):
            save_photo(self.draw(file.label, number), _place(folder, file))

    def list(self, root: Path, split: str, *, partial: bool = False) -> Listing:
        """List the photos that `make` wrote into `root`, class by class.

        Raises:
            DataError: if the split is not "train", or a photo is missing and `partial` is False.
        """
        files = [file for file, _ in self._photos(split)]
        return _listing(self, root, files, "drawn photos", partial)

    def _photos(self, split: str) -> Iterator[tuple[File, int]]:
        """Each photo's file and number."""
        check_train(split, self.name)
        for label, name in enumerate(self.classes):
            for number in range(1, PHOTOS_PER_CLASS + 1):
                path = f"{name}/{name}_{number:02}.jpg"
                yield File(path=path, label=label, group=path), number


FIGURE_CLIPS = FigureClipsReader()
FIGURE_PHOTOS = DrawnPhotosReader("figure_photos", tuple(EXERCISES), draw_studio_photo)
SPORT_PHOTOS = DrawnPhotosReader("sport_photos", tuple(SPORTS), draw_sport_photo)


def _place(folder: Path, file: File) -> Path:
    """Path to write a file to; creates its folder."""
    path = folder / file.path
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _listing(
    reader: DrawnReader, root: Path, files: Sequence[File], what: str, partial: bool
) -> Listing:
    there = set(read_tree(root).files)
    missing = [file.path for file in files if file.path not in there]
    if not partial:
        check_complete(len(files), missing, reader.media, reader.name, root)
    kept = tuple(file for file in files if file.path in there)
    return Listing(
        root=root,
        files=kept,
        classes=reader.classes,
        origin=f"{len(kept):,} {what}, {len(reader.classes)} classes",
        official=False,
        skipped=not_zero({"drawn but missing": len(missing)}),
    )
