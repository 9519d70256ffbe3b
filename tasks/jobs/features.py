"""Job: run the frozen part of a trunk on stored images, once."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from data.images.npy_writer import ImageFile
from data.reader import RawImages
from data.tables.image_set import load_prepared
from data.tables.prepared import IMAGES, save_prepared
from gradmix.metrics import BATCH
from gradmix.normalisation import normalise
from gradmix.sampling import Images
from tasks.errors import StageError
from tasks.jobs.inputs.features import FeaturesJob
from tasks.jobs.models import prepare_device
from tasks.networks.description import NetworkDescription
from tasks.networks.parts import frozen_part
from tasks.outcome import Outcome

MOST = float(np.finfo(np.float16).max)
"""The largest number in half precision."""


def run(job: FeaturesJob, folder: Path) -> Outcome:
    """Rewrite a prepared set with maps in place of its images."""
    images = load_prepared(job.data)
    output = folder / "output"
    device, path = prepare_device(), output / IMAGES
    maps = stored_maps(job.network, job.weights, images.images, device, path)
    raw = RawImages(
        images=maps,
        labels=images.labels.numpy(),
        classes=images.classes,
        origin=images.origin,
        official=False,
        samples=images.samples,
    )
    save_prepared(raw, output, sealed=False, stored=True)
    return Outcome({"shape": list(maps.shape[1:])})


def stored_maps(
    network: NetworkDescription,
    weights: Path | None,
    images: Images,
    device: torch.device,
    path: Path,
) -> npt.NDArray[np.float16]:
    """Maps of stored images, in a memory-mapped file: float16 [N, h, w, F].

    Raises:
        StageError: if a map does not fit half precision.
        DataError: if they do not fit on the disk.
    """
    file = None
    for maps in frozen_maps(network, weights, images, device):
        if not torch.isfinite(maps).all():
            raise StageError(
                f"network.frozen: expected finite maps of at most {MOST:,.0f} after "
                f"{network.frozen}, found larger ones or none; freeze another part."
            )
        file = file or ImageFile(path, len(images), tuple(maps.shape[1:]), np.float16)
        file.append(maps.numpy())
    assert file is not None, "a prepared set has at least one image"  # noqa: S101
    return file.close()


def frozen_maps(
    network: NetworkDescription, weights: Path | None, images: Images, device: torch.device
) -> Iterator[Tensor]:
    """Maps of stored images, batch by batch in order: float16 [B, h, w, F], on the CPU.

    Half precision halves the file, with rounding errors far below the spread of the maps.

    Args:
        network: the trunk, and which part is frozen.
        weights: file of the trunk's initial weights; None for random ones.
        images: [N, H, W, C].
        device: device to compute on.
    """
    first = images[:1]
    shape = (first.shape[3], first.shape[1], first.shape[2])
    frozen = frozen_part(asdict(network), weights, shape).to(device)
    with torch.no_grad():
        for start in range(0, len(images), BATCH):
            batch = images[start : start + BATCH].to(device)
            maps: Tensor = frozen(normalise(batch, network.normalisation))
            yield maps.permute(0, 2, 3, 1).half().cpu()
