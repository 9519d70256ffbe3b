"""Mini-batches by indexing stored images."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gradmix.normalisation import KeptStatistics, Normalisation, normalise


@dataclass(frozen=True)
class Batch:
    """Images [B, C, H, W] in float, labels [B] (class numbers) or [B, C] (distributions)."""

    images: Tensor
    labels: Tensor
    head: str


class ImageRows:
    """Rows of stored images [N, H, W, C], read when they are asked for; a tensor of N images.

    Images that are mapped from a file need not fit the memory.

    Args:
        images: as they are stored.
        rows: int64 [N], which of them.
    """

    def __init__(self, images: Tensor, rows: Tensor) -> None:
        self._images, self._rows = images, rows

    def __len__(self) -> int:
        """N."""
        return len(self._rows)

    def __getitem__(self, selection: Tensor | slice) -> Tensor:
        """Images [B, H, W, C] at some places, in memory."""
        return self._images[self._rows[selection]]


Images = Tensor | ImageRows
"""Stored images: [N, H, W, C], all at hand or some rows of a larger set."""


class ImageStream:
    """Endless mini-batches of one set, reshuffled each time it has been seen whole.

    A set with at most `batch_size` samples is given whole, in order, at every step; its tensor is
    kept.

    Args:
        name: of the data set, for curves and messages.
        images: [N, H, W, C], as they are stored.
        batch_size: samples per mini-batch.
        seed: of this stream's own generator.
        normalisation: of every mini-batch.
        device: of every mini-batch; None: that of the images.

    Raises:
        ValueError: if the set is empty or the batch size is below 1.
    """

    def __init__(
        self,
        name: str,
        images: Images,
        batch_size: int,
        seed: int,
        normalisation: Normalisation = "image",
        device: torch.device | None = None,
    ) -> None:
        if not len(images):
            raise ValueError(f"{name}: expected at least one image, found none.")
        if batch_size < 1:
            raise ValueError(f"{name}: expected a batch size of at least 1, found {batch_size}.")
        self.name, self.batch_size = name, batch_size
        self._images, self._normalisation, self._device = images, normalisation, device
        self._generator = torch.Generator().manual_seed(seed)
        self._order = torch.empty(0, dtype=torch.int64)
        self._statistics = KeptStatistics(len(images))
        self._whole: tuple[Tensor, int] | None = None

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

    def _images_of(self, rows: Tensor | slice) -> Tensor:
        if isinstance(rows, slice):
            return self._all()
        images = self._images[rows]
        device = self._device or images.device
        if self._normalisation == "image" and device.type == images.device.type == "cpu":
            return self._statistics.standardise(images, rows)
        return normalise(images.to(device), self._normalisation)

    def _all(self) -> Tensor:
        """All images, made again only if a network has changed them in place."""
        if self._whole is None or self._whole[1] != self._whole[0]._version:
            images = self._images[:]
            whole = normalise(images.to(self._device or images.device), self._normalisation)
            self._whole = whole, whole._version
        return self._whole[0]

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
        images: [N, H, W, C], as they are stored.
        labels: int64 [N] or float [N, C].
        head: the head that these labels train.
        batch_size: samples per mini-batch.
        seed: of this stream's own generator.
        normalisation: of every mini-batch.
        device: of every mini-batch; None: that of the images.

    Raises:
        ValueError: if the set is empty, labels and images differ in number or the batch size is
            below 1.
    """

    def __init__(
        self,
        name: str,
        images: Images,
        labels: Tensor,
        head: str,
        batch_size: int,
        seed: int,
        normalisation: Normalisation = "image",
        device: torch.device | None = None,
    ) -> None:
        if not len(images) or len(images) != len(labels):
            raise ValueError(
                f"{name}: expected as many labels as images and at least one, "
                f"found {len(images)} images and {len(labels)} labels."
            )
        super().__init__(name, images, batch_size, seed, normalisation, device)
        self.head, self._labels = head, labels.to(device or labels.device)

    def next(self) -> Batch:
        """The next mini-batch."""
        rows = self._rows()
        return Batch(self._images_of(rows), self._labels[rows], self.head)


class UnlabelledStream(ImageStream):
    """Mini-batches of one unlabelled set; there are no labels that could be read."""

    def next(self) -> Tensor:
        """Images [B, C, H, W] of the next mini-batch."""
        return self._images_of(self._rows())
