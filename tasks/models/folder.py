"""Model folders, written atomically."""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from data.atomic import sync
from data.fingerprint import sha256_file
from tasks.jobs.inputs.models import MODEL
from tasks.models.card import card_text
from tasks.models.description import (
    CARD,
    FORMAT,
    Figures,
    ImageDescription,
    Lineage,
    MemberDescription,
    ModelDescription,
    ModelError,
    read_description,
    write_description,
)
from tasks.models.network import load_model_folder, of_the_target
from tasks.networks.description import NetworkDescription
from tasks.networks.parts import frozen_part

WEIGHTS = "model.safetensors"
"""Weights of a single model; files of several members are numbered."""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A finished training that becomes a member.

    Attributes:
        folder: folder with its weights.
        method: method that trained it.
        sources: names of the sources it was trained on.
        identity: identity of the training.
        run_id: id of its MLflow run.
    """

    folder: Path
    method: str
    sources: tuple[str, ...]
    identity: str
    run_id: str


@dataclass(frozen=True, kw_only=True)
class ModelInputs:
    """Everything a model folder is made from.

    Attributes:
        classes: classes of the target.
        network: network of all members.
        weights: file of weights of the trunk's frozen part.
        images: how files become the network's input.
        members: finished trainings, one or several.
        lineage: where they came from.
        figures: results of the model.
    """

    classes: tuple[str, ...]
    network: NetworkDescription
    weights: Path | None
    images: ImageDescription
    members: tuple[Trained, ...]
    lineage: Lineage
    figures: Figures


def write_model_folder(inputs: ModelInputs, folder: Path) -> ModelDescription:
    """Write a model folder, replacing an existing one unless it is equal.

    Args:
        inputs: what it is made from.
        folder: path of the folder; its parent exists.

    Raises:
        ModelError: if a training's weights cannot be read.
        OSError: if it cannot be written.
    """
    description = _described(inputs)
    if (found := _up_to_date(description, folder)) is not None:
        return found
    with _replacing_folder(folder) as temporary:
        frozen = _frozen_state(inputs)
        for member, trained in zip(description.members, inputs.members, strict=True):
            # As bytes: files written by safetensors itself are only readable by their owner.
            (temporary / member.file).write_bytes(save(_state(trained, frozen)))
        (temporary / CARD).write_text(card_text(description), encoding="utf-8")
        files = {path.name: sha256_file(path) for path in sorted(temporary.iterdir())}
        description = replace(description, files=files)
        write_description(description, temporary)
        # Test that the folder can be loaded.
        load_model_folder(temporary)
    return description


def _described(inputs: ModelInputs) -> ModelDescription:
    single = len(inputs.members) == 1
    names = [WEIGHTS] if single else [f"member-{i}.safetensors" for i in range(len(inputs.members))]
    return ModelDescription(
        format=FORMAT,
        kind="single" if single else "members",
        classes=inputs.classes,
        # The folder has a copy of the weights, so no file is needed.
        network=inputs.network,
        images=inputs.images,
        members=tuple(
            MemberDescription(
                file=name,
                method=trained.method,
                sources=trained.sources,
                identity=trained.identity,
                run_id=trained.run_id,
            )
            for name, trained in zip(names, inputs.members, strict=True)
        ),
        lineage=inputs.lineage,
        figures=inputs.figures,
        files={},
    )


def _up_to_date(wanted: ModelDescription, folder: Path) -> ModelDescription | None:
    """The description in the folder, if it is equal except for its time, and files are intact."""
    try:
        found = read_description(folder)
        whole = all(sha256_file(folder / name) == digest for name, digest in found.files.items())
    except (ModelError, OSError, ValueError):
        return None
    made = replace(wanted.lineage, made=found.lineage.made)
    same = replace(wanted, lineage=made, files=found.files) == found
    return found if same and whole else None


def _frozen_state(inputs: ModelInputs) -> dict[str, Tensor]:
    if not inputs.network.frozen:
        return {}
    side = inputs.images.side
    with torch.random.fork_rng(devices=[]):
        part = frozen_part(
            asdict(inputs.network), inputs.weights, (inputs.images.channels, side, side)
        )
    return dict(part.state_dict())


def _state(trained: Trained, frozen: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """All tensors used in prediction, each with its own memory, as safetensors requires."""
    path = trained.folder / MODEL
    try:
        state = of_the_target(torch.load(path, map_location="cpu", weights_only=True))
    # With an arbitrary file, torch may raise any error.
    except Exception as error:
        raise ModelError(
            f"expected the weights of a finished training at {path}, found none "
            f"({' '.join(str(error).split())[:200]}); run the experiment again."
        ) from error
    named = {f"network.{name}": value for name, value in state.items()}
    named |= {f"frozen.{name}": value for name, value in frozen.items()}
    return {name: value.detach().clone().contiguous() for name, value in named.items()}


@contextmanager
def _replacing_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder that replaces another one at the end, or is removed on failure."""
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    before = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        yield temporary
        _sync_all(list(temporary.iterdir()))
        if folder.exists():
            folder.rename(before)
        temporary.rename(folder)
        sync(folder.parent)
    finally:
        for left in (temporary, before):
            shutil.rmtree(left, ignore_errors=True)


def _sync_all(paths: Sequence[Path]) -> None:
    for path in paths:
        sync(path)
