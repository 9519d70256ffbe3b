"""Mini-batches of stored images."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gradmix.declarations.choices import Normalisation
from gradmix.normalisation import normalise


@dataclass(frozen=True)
class Batch:
    """Float images [B, C, H, W], with class numbers [B] or label distributions [B, C]."""

    images: Tensor
    labels: Tensor
    head: str


class ImageRows:
    """N rows of stored images [M, H, W, C], read on access and indexed like a tensor.

    Memory-mapped images need not fit in memory.

    Args:
        images: the stored images.
        rows: row numbers, int64 [N].
    """

    def __init__(self, images: Tensor, rows: Tensor) -> None:
        self._images, self._rows = images, rows

    def __len__(self) -> int:
        """Number of rows."""
        return len(self._rows)

    def __getitem__(self, selection: Tensor | slice) -> Tensor:
        """Read images [B, H, W, C] into memory."""
        # Much faster than indexing with a tensor.
        return self._images.index_select(0, self._rows[selection])


Images = Tensor | ImageRows
"""Stored images [N, H, W, C]: a tensor, or some rows of a larger set."""


class ImageStream:
    """Endless mini-batches of one set, reshuffled after each pass over it.

    A set of at most `batch_size` samples is returned whole, in order, at every step; its tensor is
    cached.

    Args:
        name: name of the data set, for metrics and messages.
        images: stored images [N, H, W, C].
        batch_size: samples per mini-batch.
        seed: seed of the stream's own generator.
        normalisation: normalisation of each mini-batch.
        device: device of each mini-batch; None uses that of the images.

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
        self._whole: tuple[Tensor, int] | None = None

    def __len__(self) -> int:
        """Number of samples in the set."""
        return len(self._images)

    def state_dict(self) -> dict[str, Any]:
        """The rest of the current order, and the generator's state."""
        return {"order": self._order.clone(), "generator": self._generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state from `state_dict`."""
        self._order = state["order"]
        self._generator.set_state(state["generator"])

    def _images_of(self, rows: Tensor | slice) -> Tensor:
        if isinstance(rows, slice):
            return self._all()
        images = self._images[rows]
        return normalise(images.to(self._device or images.device), self._normalisation)

    def _all(self) -> Tensor:
        """All images, recomputed only if a network modified them in place."""
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
        name: name of the data set, for metrics and messages.
        images: stored images [N, H, W, C].
        labels: int64 [N] or float [N, C].
        head: the head that these labels train.
        batch_size: samples per mini-batch.
        seed: seed of the stream's own generator.
        normalisation: normalisation of each mini-batch.
        device: device of each mini-batch; None uses that of the images.

    Raises:
        ValueError: if the set is empty, labels and images differ in number, or the batch size is
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
                f"{name}: expected equal, non-zero numbers of images and labels, "
                f"found {len(images)} images and {len(labels)} labels."
            )
        super().__init__(name, images, batch_size, seed, normalisation, device)
        self.head, self._labels = head, labels.to(device or labels.device)

    def next(self) -> Batch:
        """The next mini-batch."""
        rows = self._rows()
        return Batch(self._images_of(rows), self._labels[rows], self.head)


class UnlabelledStream(ImageStream):
    """Mini-batches of one unlabelled set."""

    def next(self) -> Tensor:
        """Images [B, C, H, W] of the next mini-batch."""
        return self._images_of(self._rows())
