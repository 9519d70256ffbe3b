"""Prepared data sets as tensors."""

from dataclasses import dataclass
from pathlib import Path

import torch

from data.reader import Samples
from data.tables.prepared import Prepared, read_prepared


@dataclass(frozen=True, kw_only=True)
class ImageSet:
    """A data set in memory.

    Attributes:
        images: uint8, or float16 for feature maps, [N, H, W, C], contiguous, so that
            `images.permute(0, 3, 1, 2)` is channels-last without a copy.
        labels: int64 [N], indices into `classes`; -1 if unknown.
        classes: class names, in order.
        origin: one sentence on what the images are, how many, and whether they are official.
        samples: sample in each row; None if rows have no names.
    """

    images: torch.Tensor
    labels: torch.Tensor
    classes: tuple[str, ...]
    origin: str
    samples: Samples | None = None

    def __len__(self) -> int:
        """Number of images."""
        return len(self.labels)


def load_prepared(folder: Path) -> ImageSet:
    """Load a prepared data set for training and selection.

    Raises:
        DataError: if the folder contains a sealed test split, lacks a file, or its files do not
            match.
    """
    return as_tensors(read_prepared(folder))


def as_tensors(prepared: Prepared) -> ImageSet:
    """The same set as tensors, which share its memory."""
    return ImageSet(
        images=torch.from_numpy(prepared.images),
        labels=torch.from_numpy(prepared.labels),
        classes=prepared.classes,
        origin=prepared.origin,
        samples=prepared.samples,
    )
