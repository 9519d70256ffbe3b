"""Estimates of the disk space and time that a run needs."""

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from flows.checks.roles import Roles
from flows.experiment.datasets import Images
from flows.experiment.settings import Experiment
from flows.monitoring.counts import TRAIN
from flows.pipeline.plan import PlanEntry
from tasks.execution.slots import Slot
from tasks.networks.check import trained_bytes

COPIES = 3
"""Copies of a model during training: itself and two checkpoints."""


@dataclass(frozen=True, kw_only=True)
class Needs:
    """Estimated needs of a run.

    Attributes:
        trainings: number of trainings.
        to_run: number of trainings still to run.
        slots: number of trainings at a time.
        seconds: time to the end; None if nothing is known.
        basis: source of that estimate, in words.
        bytes: disk space needed.
        free: free disk space.
    """

    trainings: int
    to_run: int
    slots: int
    seconds: float | None
    basis: str
    bytes: int
    free: int

    @property
    def problems(self) -> Iterator[str]:
        """Problems with these needs."""
        if self.bytes > self.free:
            yield (
                f"expected {gib(self.bytes)} on the disk, found {gib(self.free)} free; make room, "
                "lower images.side or images.frames, or choose another disk with --home."
            )


def needs_of(
    experiment: Experiment,
    roles: Roles,
    plan: Sequence[PlanEntry],
    home: Path,
    slots: Sequence[Slot],
    *,
    timed: bool,
) -> Needs:
    """Estimate what the stages of a plan need; the time too if `timed`."""
    trainings = [entry for entry in plan if entry.stage == TRAIN]
    to_run = [entry for entry in trainings if entry.state != "cached"]
    gpus = any(slot.device for slot in slots)
    files = image_count(experiment.images, roles)
    seconds, basis = None, "not timed before the problems are solved"
    if timed:
        seconds, basis = _seconds(experiment, to_run, home, files, gpus=gpus)
    images = experiment.images
    arrays = 0 if images is None else array_bytes(images, roles)
    model = trained_bytes(experiment.network.description, experiment.shape)
    made = arrays if any(entry.state != "cached" for entry in plan) else 0
    return Needs(
        trainings=len(trainings),
        to_run=len(to_run),
        slots=len(slots),
        seconds=None if seconds is None else seconds / len(slots),
        basis=basis,
        bytes=made + model * (len(to_run) + COPIES * min(len(slots), len(to_run))),
        free=shutil.disk_usage(standing(home)).free,
    )


def array_bytes(images: Images, roles: Roles) -> int:
    """Bytes of all photos, or frames of clips, as squares of 8-bit RGB."""
    return image_count(images, roles) * images.side**2 * 3


def image_count(images: Images | None, roles: Roles) -> int:
    """Number of photos, and of frames of clips, in all roles."""
    frames = 1 if images is None else images.frames
    return sum(
        len(role.listing.files) * (frames if role.media == "clips" else 1) for role in roles.found
    )


def standing(folder: Path) -> Path:
    """The folder, or its nearest existing parent."""
    return next((place for place in (folder, *folder.parents) if place.exists()), Path("/"))


def home_problem(home: Path) -> str | None:
    """Why a home folder cannot be written to, found without writing; None if it can."""
    place = standing(home)
    if not place.is_dir():
        found = f"{place}, which is a file"
    elif not os.access(place, os.W_OK | os.X_OK) or os.statvfs(place).f_flag & os.ST_RDONLY:
        found = f"{place}, which cannot be written to"
    else:
        return None
    return f"expected a writable home folder, found {found}; choose another with --home."


def gib(size: int) -> str:
    """Format a number of bytes."""
    if size >= 2**30:
        return f"{size / 2**30:.1f} GiB"
    return f"{max(1, round(size / 2**20))} MiB"


def _seconds(
    experiment: Experiment, to_run: Sequence[PlanEntry], home: Path, files: int, *, gpus: bool
) -> tuple[float | None, str]:
    """Seconds needed in one slot, and the source of that estimate.

    Args:
        experiment: the settings.
        to_run: trainings that are not finished.
        home: folder with earlier trainings.
        files: number of images, each of which passes once through a frozen part of the trunk.
        gpus: whether trainings run on GPUs, which are not timed.
    """
    known = [entry.seconds for entry in to_run if entry.seconds is not None]
    if len(known) == len(to_run):
        return sum(known), f"as earlier trainings of this network took in {home}"
    if gpus:
        return None, f"no training of this network in {home} to go by"
    from tasks.networks.trial import (  # noqa: PLC0415 - loads torch, to time the network
        feature_seconds,
        training_seconds,
    )

    network, shape = experiment.network.description, experiment.shape
    images = sum(entry.work.images * entry.work.steps for entry in to_run if entry.work)
    seconds = training_seconds(network, shape) * images + feature_seconds(network, shape) * files
    return seconds, "on idle cores, from timing this network on a few images"
