"""`model.json`: everything about a model except its weights."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from data.atomic import write_atomically
from data.errors import UserError
from tasks.codec import CodecError, decode, encode
from tasks.networks.description import NetworkDescription

FORMAT = 1
FILE, CARD = "model.json", "README.md"

Kind = Literal["single", "members"]
Media = Literal["photos", "clips"]


class ModelError(UserError, ValueError):
    """A model cannot be used: one line with what was expected, what was found and what to do."""


@dataclass(frozen=True, kw_only=True)
class ImageDescription:
    """How a file becomes the network's input: uint8 [side, side, channels].

    Attributes:
        side: side of the square in pixels.
        channels: 3 for RGB, 1 for luminance.
        media: kind of the target's files.
        frames: number of evenly spaced frames of a clip; None if `every` is given.
        every: take every n-th frame of a clip; None if `frames` is given.
        crop: part of a non-square picture that is kept.
        resampling: Pillow's filter with antialiasing; another one costs accuracy.
        grey: how RGB becomes one channel.
    """

    side: int
    channels: Literal[1, 3]
    media: Media
    frames: int | None
    every: int | None
    crop: Literal["middle square"] = "middle square"
    resampling: Literal["PIL bilinear"] = "PIL bilinear"
    grey: Literal["ITU-R BT.601"] = "ITU-R BT.601"


@dataclass(frozen=True, kw_only=True)
class MemberDescription:
    """One trained network.

    Attributes:
        file: file of its weights, in the folder.
        method: method that trained it, and may have changed its head or norms.
        sources: names of the sources it was trained on, which affect the shapes of some norms.
        identity: identity of its training.
        run_id: id of its MLflow run.
    """

    file: str
    method: str
    sources: tuple[str, ...]
    identity: str
    run_id: str


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """Where the model came from.

    Attributes:
        gradmix: version that made it.
        git_commit: commit of the code; None if it is not in a checkout.
        git_dirty: whether it had uncommitted changes.
        reproduction: name of the run that the model is from.
        row: row of its table.
        k: labelled samples per class.
        draw: number of V.
        run_id: MLflow run of the reproduction.
        command: command that made it.
        data: data it was trained and scored on, one line each.
        made: time the folder was written, ISO 8601, UTC.
    """

    gradmix: str
    git_commit: str | None
    git_dirty: bool
    reproduction: str
    row: str
    k: int
    draw: int
    run_id: str
    command: str
    data: tuple[str, ...]
    made: str


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Results of the model; accuracies in [0, 1] of images, or of frames of clips.

    `hyper_validation_n` counts images, or clips; `test_n` images, or frames.
    The model was chosen by its hyper-validation accuracy, which flatters it; the test split was not
    used to choose anything.
    """

    hyper_validation_accuracy: float | None
    hyper_validation_loss: float | None
    hyper_validation_n: int | None
    test_accuracy: float | None
    test_n: int | None
    test_clip_accuracy: float | None
    test_clips: int | None


@dataclass(frozen=True, kw_only=True)
class ModelDescription:
    """A model.

    Attributes:
        format: format of the file.
        kind: one network, or several whose probabilities are averaged.
        classes: class names in the order of the network's outputs.
        network: trunk, settings, normalisation and frozen part.
        images: how files become its input.
        members: the trained networks, one if `kind` is `single`.
        lineage: where it came from.
        figures: its results.
        files: SHA-256 of every other file in the folder.
    """

    format: int
    kind: Kind
    classes: tuple[str, ...]
    network: NetworkDescription
    images: ImageDescription
    members: tuple[MemberDescription, ...]
    lineage: Lineage
    figures: Figures
    files: Mapping[str, str]


def read_description(folder: Path) -> ModelDescription:
    """Read the description in a model folder.

    Raises:
        ModelError: if there is none, or it is damaged or has another version.
    """
    path = folder / FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        found = "none" if isinstance(error, FileNotFoundError) else "one that cannot be read"
        raise ModelError(
            f"expected a model folder with a {FILE} at {folder}, found {found}; name a model "
            "folder, champion, or an MLflow model such as models:/NAME@champion."
        ) from error
    version = content.get("format") if isinstance(content, dict) else None
    if version != FORMAT:
        raise ModelError(
            f"{path}: expected a model of format {FORMAT}, found {version!r}; use the version of "
            "gradmix that wrote it."
        )
    try:
        description = decode(ModelDescription, content, name=str(path))
    except CodecError as error:
        raise ModelError(str(error)) from error
    return _checked(description, path)


def write_description(description: ModelDescription, folder: Path) -> None:
    """Write the description into a model folder."""
    write_atomically(folder / FILE, json.dumps(encode(description), indent=1) + "\n")


def _checked(description: ModelDescription, path: Path) -> ModelDescription:
    """Check that files are inside the folder and there is at least one network."""
    files = [member.file for member in description.members]
    wanted = "one member" if description.kind == "single" else "at least one member"
    if not files or (description.kind == "single" and len(files) > 1):
        raise ModelError(f"{path}: expected {wanted}, found {len(files)}; make the model again.")
    outside = [name for name in files if Path(name).name != name or name not in description.files]
    if outside:
        raise ModelError(
            f"{path}: expected weights in the folder, with their SHA-256, found {outside[0]!r}; "
            "make the model again."
        )
    return description
