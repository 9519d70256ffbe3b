"""MPII Human Pose as photos of activities (Andriluka et al., 2014)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.errors import DataError, one_line
from data.listing import File, Listing, Media, check_train
from data.readers.file_tree import check_complete, homes, not_zero, read_tree
from data.readers.mat import load_mat

ANNOTATIONS = "mpii_human_pose_v1_u12_1.mat"
IMAGES = "images"
# The official archives unpack into such folders; otherwise the files are in the data set's folder.
ANNOTATION_PLACES = (ANNOTATIONS, f"*/{ANNOTATIONS}")
IMAGE_PLACES = (IMAGES, f"[mM][pP][iI][iI]*/{IMAGES}")
# Section 4.1 of the paper.
PAPER_PHOTOS, PAPER_ACTIVITIES = 28_821, 410


@dataclass(frozen=True)
class MpiiReader:
    """Reads `ROOT[/MPII]/images/*.jpg` with the labels in `mpii_human_pose_v1_u12_1.mat`.

    The annotations may be in a folder beside the images, and the images in a folder whose name
    starts with `mpii`. The class of a photo is its `act_name` (several `act_id` share one); photos
    without a label and those of the test split are not used.
    """

    name: str = "mpii"
    media: Media = "photos"
    embedded: bool = False
    version: int = 1

    def list(self, root: Path, split: str, *, partial: bool = False) -> Listing:
        """List the labelled training photos in the order of the annotations; classes are sorted.

        Raises:
            DataError: if `split` is not "train", or the annotations or the image folder are missing
                or damaged; unless `partial`, also if images are missing.
        """
        check_train(split, "MPII")
        annotations = _find(root, ANNOTATIONS, ANNOTATION_PLACES)
        folder = _find(root, IMAGES, IMAGE_PLACES)
        training = read_training(annotations)
        labelled = [(name, activity) for name, activity in training if activity]
        tree = read_tree(folder)
        found = [(tree.find(name), activity) for name, activity in labelled]
        missing = [name for name, _ in labelled if tree.find(name) is None]
        if not partial:
            check_complete(len(labelled), missing, "photos", ANNOTATIONS, folder)
        skipped = {
            "training photos without a label": len(training) - len(labelled),
            f"named in {ANNOTATIONS} but missing": len(missing),
            **tree.unused(),
        }
        there = [(path, activity) for path, activity in found if path is not None]
        return _listing(folder, there, len(labelled), skipped)


def read_training(path: Path) -> list[tuple[str, str]]:
    """File name and activity of each training image; "" if it has no label.

    Raises:
        DataError: if the file is not MPII's annotation release.
    """
    try:
        release = load_mat(path, ("RELEASE",))["RELEASE"][0, 0]
        # `act` is a column; the others are rows.
        images, training, acts = (
            release[field].reshape(-1) for field in ("annolist", "img_train", "act")
        )
        return [
            (_text(image["image"][0, 0]["name"]), _text(act["act_name"]))
            for image, is_training, act in zip(images, training, acts, strict=True)
            if is_training == 1
        ]
    # scipy's parser raises many errors on damaged bytes, and numpy on an unexpected structure.
    except Exception as error:
        raise DataError(
            f"Expected MPII's RELEASE with annolist, img_train and act in {path}, found a damaged "
            f"or different file ({one_line(error)}): use {ANNOTATIONS} from the official archive."
        ) from error


def _text(cell: Any) -> str:  # noqa: ANN401 - an array of at most one text
    return str(cell.item()).strip() if cell.size else ""


def _find(root: Path, what: str, places: Sequence[str]) -> Path:
    """The first existing match of the patterns in the candidate folders of the data set."""
    for home in homes(root, "MPII"):
        for place in places:
            found = sorted(home.glob(place))
            if found:
                return found[0]
    raise DataError(
        f"Expected MPII's {what} in {root}, {root / 'MPII'} or a folder there, found none: "
        f"give the folder that contains {ANNOTATIONS} and {IMAGES}."
    )


def _listing(
    folder: Path, there: Sequence[tuple[str, str]], labelled: int, skipped: dict[str, int]
) -> Listing:
    classes = tuple(sorted({activity for _, activity in there}))
    numbers = {activity: number for number, activity in enumerate(classes)}
    official = (len(there), len(classes)) == (PAPER_PHOTOS, PAPER_ACTIVITIES)
    count = f"{len(there):,}" if len(there) == labelled else f"{len(there):,} of {labelled:,}"
    what = f"MPII Human Pose with {count} labelled training photos of {len(classes)} activities"
    return Listing(
        root=folder,
        files=tuple(
            File(path=path, label=numbers[activity], group=path) for path, activity in there
        ),
        classes=classes,
        origin=f"{what}, the paper's count"
        if official
        else f"{what}, where the paper counts {PAPER_PHOTOS:,} of {PAPER_ACTIVITIES}: "
        "not the paper's set",
        official=official,
        skipped=not_zero(skipped),
    )
