"""The data of a job: a stream for each set it reads."""

from collections.abc import Sequence

import torch
from torch import Tensor

from data.errors import DataError
from data.tables.enlarged_v import load_enlarged
from data.tables.file_names import PSEUDO_LABELS, SPLIT
from data.tables.image_set import ImageSet, load_prepared
from data.tables.pseudo_labels import read_pseudo_labels
from data.tables.split import Split, class_rows
from data.tables.split_file import load_split
from gradmix.declarations.choices import Normalisation
from gradmix.problem import TARGET_HEAD
from gradmix.sampling import ImageRows, Images, Stream, UnlabelledStream
from gradmix.training import HyperValidation
from tasks.jobs.inputs.models import NetworkInputs
from tasks.jobs.inputs.streams import StreamInputs, TargetInputs
from tasks.jobs.models import seed_of

RESIDENT_BYTES = 2**30
"""Sets up to this size are kept on the GPU; of larger ones, each mini-batch is copied there."""


def labels_in(classes: Sequence[str], images: ImageSet, rows: Tensor) -> Tensor:
    """Labels of rows as indices into `classes`."""
    position = torch.full((len(images.classes),), -1)
    for i, name in enumerate(classes):
        position[images.classes.index(name)] = i
    return position[images.labels[rows]]


def split_labels(classes: Sequence[str], images: ImageSet, split: Split, rows: Tensor) -> Tensor:
    """Labels of rows of V or hyper-validation, from the split or else the prepared set."""
    if split.labels is None:
        return labels_in(classes, images, rows)
    return torch.tensor([split.labels[row] for row in rows.tolist()], dtype=torch.int64)


def source_streams(job: StreamInputs, target: ImageSet, device: torch.device) -> list[Stream]:
    """The labelled sources, and S_u if there are pseudo-labels."""
    streams = []
    for source in job.source_sets:
        images = load_prepared(source.data)
        rows = torch.from_numpy(class_rows(images.labels.numpy(), images.classes, source.classes))
        labels = labels_in(job.heads[source.head], images, rows)
        streams.append(_stream(job, source.name, images, rows, labels, source.head, device))
    if job.pseudo_labels:
        streams.append(_pseudo_stream(job, target, device))
    return streams


def target_stream(job: StreamInputs, target: ImageSet, device: torch.device) -> Stream:
    """V, whole in each step if small, else in mini-batches."""
    if job.enlarged:
        enlarged = load_enlarged(job.enlarged)
        rows, labels = torch.from_numpy(enlarged.sample_id), torch.from_numpy(enlarged.label)
    else:
        split = load_split(job.split / SPLIT)
        rows = torch.from_numpy(split.v)
        labels = split_labels(job.classes, target, split, rows)
    return _stream(job, "V", target, rows, labels, TARGET_HEAD, device)


def unlabelled_stream(
    job: StreamInputs, target: ImageSet, device: torch.device, ratio: int
) -> UnlabelledStream:
    """All of U, without labels, in mini-batches of `ratio` times a source's."""
    rows = torch.from_numpy(load_split(job.split / SPLIT).u)
    return UnlabelledStream(
        "U",
        rows_of(target.images, rows, device),
        ratio * job.training.batch_size,
        seed_of(job, "U"),
        normalisation_of(job, target.images),
        device,
    )


def hyper_validation(
    job: TargetInputs, target: ImageSet, device: torch.device
) -> HyperValidation | None:
    """The hyper-validation set of the job's split; None if nothing is held out."""
    split = load_split(job.split / SPLIT)
    if not len(split.hyper_validation):
        return None
    rows = torch.from_numpy(split.hyper_validation)
    labels = split_labels(job.classes, target, split, rows)
    return HyperValidation(rows_of(target.images, rows, device), labels.to(device))


def held_out_samples(job: TargetInputs, target: ImageSet, device: torch.device) -> HyperValidation:
    """The hyper-validation set of the job's split, which must not be empty.

    Raises:
        DataError: if nothing is held out.
    """
    found = hyper_validation(job, target, device)
    if found is None:
        raise DataError("expected a hyper-validation set, found none; give its number of samples.")
    return found


def rows_of(images: Tensor, rows: Tensor, device: torch.device) -> Images:
    """Rows of stored images: copied to a GPU if few, else read on demand."""
    size = len(rows) * images[:1].numel() * images.element_size()
    if device.type == "cpu" or size > RESIDENT_BYTES:
        return ImageRows(images, rows)
    return images[rows].to(device)


def normalisation_of(job: NetworkInputs, images: Tensor) -> Normalisation:
    """The network's normalisation, or none for maps of its frozen part."""
    return job.network.normalisation if images.dtype == torch.uint8 else "none"


def _pseudo_stream(job: StreamInputs, target: ImageSet, device: torch.device) -> Stream:
    """S_u: hard or soft labels of U, less the samples that moved into the enlarged V."""
    assert job.pseudo_labels is not None  # noqa: S101 - only called with them
    table = read_pseudo_labels(job.pseudo_labels / PSEUDO_LABELS)
    left = torch.ones(len(table.sample_id), dtype=torch.bool)
    if job.enlarged:
        moved = torch.from_numpy(load_enlarged(job.enlarged).sample_id)
        left &= ~torch.isin(torch.from_numpy(table.sample_id), moved)
    if job.pseudo == "hard":
        left &= torch.from_numpy(table.agreed)
        labels = torch.from_numpy(table.hard_label)[left]
    else:
        labels = torch.from_numpy(table.soft_label)[left]
    if not left.any():
        raise DataError(
            f"expected {job.pseudo} pseudo-labels for S_u, found none left: the models of the "
            "first stage agree on too little; train them longer, lower ensemble.threshold, or set "
            'ensemble.if_none_agree = "soft".'
        )
    rows = torch.from_numpy(table.sample_id)[left]
    return _stream(job, "S_u", target, rows, labels, TARGET_HEAD, device)


def _stream(
    job: StreamInputs,
    name: str,
    images: ImageSet,
    rows: Tensor,
    labels: Tensor,
    head: str,
    device: torch.device,
) -> Stream:
    size = job.training.batch_size
    if name == "V" and len(labels) <= job.training.v_whole_up_to:
        size = len(labels)
    return Stream(
        name,
        rows_of(images.images, rows, device),
        labels,
        head,
        size,
        seed_of(job, name),
        normalisation_of(job, images.images),
        device,
    )
