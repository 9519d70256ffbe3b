"""Mini-batches by indexing resident uint8 images."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

SMALLEST_DEVIATION = 1.0
"""Standard deviation, in grey levels, below which an image counts as flat."""


@dataclass(frozen=True)
class Batch:
    """Images [B, C, H, W] in float, labels [B] (class numbers) or [B, C] (distributions)."""

    images: Tensor
    labels: Tensor
    head: str


def standardise(images: Tensor) -> Tensor:
    """Each image to zero mean and unit deviation: uint8 [B, H, W, C] -> float [B, C, H, W].

    The result is channels_last in memory, as the source is stored [H, W, C].
    """
    pixels = images.permute(0, 3, 1, 2).float()
    deviation, mean = torch.std_mean(pixels, dim=(1, 2, 3), keepdim=True, correction=0)
    return (pixels - mean) / deviation.clamp_min(SMALLEST_DEVIATION)


class ImageStream:
    """Endless mini-batches of rows of one set, reshuffled each time it has been seen whole.

    A set with at most `batch_size` samples is given whole, in order, at every step.

    Args:
        name: of the data set, for curves and messages.
        images: uint8 [N, H, W, C].
        batch_size: samples per mini-batch.
        seed: of this stream's own generator.

    Raises:
        ValueError: if the set is empty or the batch size is below 1.
    """

    def __init__(self, name: str, images: Tensor, batch_size: int, seed: int) -> None:
        if not len(images):
            raise ValueError(f"{name}: expected at least one image, found none.")
        if batch_size < 1:
            raise ValueError(f"{name}: expected a batch size of at least 1, found {batch_size}.")
        self.name, self.batch_size = name, batch_size
        self._images = images
        self._generator = torch.Generator().manual_seed(seed)
        self._order = torch.empty(0, dtype=torch.int64)

    def __len__(self) -> int:
        """Samples in the set."""
        return len(self._images)

    def state_dict(self) -> dict[str, Any]:
        """What is left of the present order, and the generator's state."""
        return {"order": self._order.clone(), "generator": self._generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on exactly where `state_dict` was taken."""
        self._order = state["order"]
        self._generator.set_state(state["generator"])

    def _rows(self) -> Tensor | slice:
        """The rows of the next mini-batch."""
        if len(self) <= self.batch_size:
            return slice(None)
        while len(self._order) < self.batch_size:
            again = torch.randperm(len(self), generator=self._generator)
            self._order = torch.cat([self._order, again])
        rows, self._order = self._order[: self.batch_size], self._order[self.batch_size :]
        return rows


class Stream(ImageStream):
    """Mini-batches of one labelled set.

    Args:
        name: of the data set, for curves and messages.
        images: uint8 [N, H, W, C].
        labels: int64 [N] or float [N, C].
        head: the head that these labels train.
        batch_size: samples per mini-batch.
        seed: of this stream's own generator.

    Raises:
        ValueError: if the set is empty, labels and images differ in number or the batch size is
            below 1.
    """

    def __init__(
        self, name: str, images: Tensor, labels: Tensor, head: str, batch_size: int, seed: int
    ) -> None:
        if not len(images) or len(images) != len(labels):
            raise ValueError(
                f"{name}: expected as many labels as images and at least one, "
                f"found {len(images)} images and {len(labels)} labels."
            )
        super().__init__(name, images, batch_size, seed)
        self.head, self._labels = head, labels

    def next(self) -> Batch:
        """The next mini-batch."""
        rows = self._rows()
        return Batch(standardise(self._images[rows]), self._labels[rows], self.head)


class UnlabelledStream(ImageStream):
    """Mini-batches of one unlabelled set; there are no labels that could be read."""

    def next(self) -> Tensor:
        """Images [B, C, H, W] of the next mini-batch."""
        return standardise(self._images[self._rows()])
