"""Export of models for other runtimes: ONNX, and PyTorch's exported programs."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from data.atomic import replacing
from tasks.models.description import ModelError
from tasks.models.network import Ensemble, Model

Format = Literal["onnx", "torch"]

TOLERANCE = 1e-4
"""Maximum difference of a probability from the original's."""
INPUT, OUTPUT = "images", "probabilities"
METADATA = "gradmix.json"
"""Name of the metadata in an exported program; in ONNX, keys `gradmix.*`."""
CHECKED = (1, 3, 8)
"""Batch sizes at which a written file is compared."""


class Deployed(nn.Module):
    """The exported module: stored images in, mean probabilities out, normalisation inside."""

    def __init__(self, networks: Ensemble) -> None:
        super().__init__()
        self.networks = networks

    def forward(self, images: Tensor) -> Tensor:
        """Probabilities [B, classes], the mean over members, of uint8 [B, side, side, channels]."""
        found: Tensor = self.networks(images).mean(0)
        return found


def export_model(model: Model, file_format: Format, out: Path) -> float:
    """Write a model for another runtime, after checking that it gives the same numbers.

    Args:
        model: model on the CPU.
        file_format: format of the file.
        out: path of the file; its folder exists.

    Returns:
        Largest difference of a probability, over random images and batch sizes.

    Raises:
        ModelError: if the format's packages are missing, the model cannot be exported, or its
            numbers differ.
    """
    if out.is_dir() or not out.parent.is_dir():
        raise ModelError(f"--out: expected a file in a folder that is there, found {out}.")
    write, read = _FORMATS[file_format]
    deployed = Deployed(model.networks).eval()
    with replacing(out) as temporary:
        try:
            with torch.no_grad(), warnings.catch_warnings():
                # Torch's exporters warn about their own internals.
                warnings.simplefilter("ignore")
                write(deployed, model, temporary)
                difference = _difference(deployed, read(temporary), model)
        except ImportError as error:
            raise ModelError(
                f"--format {file_format}: expected the package {error.name}, found none; install "
                "gradmix[export]."
            ) from error
        except ModelError:
            raise
        # Torch's exporters raise various errors.
        except Exception as error:
            said = " ".join(str(error).split())[:200]
            raise ModelError(
                f"--format {file_format}: expected a network that can be exported, found "
                f"{type(error).__name__}: {said}; try the other format."
            ) from error
    return difference


def metadata(model: Model) -> dict[str, str]:
    """Metadata of a file."""
    description = model.description
    images = description.images
    return {
        "classes": json.dumps(list(description.classes), ensure_ascii=False),
        "input": f"{INPUT}: uint8 [batch, {images.side}, {images.side}, {images.channels}], the "
        f"{images.crop}, scaled by {images.resampling}"
        + (f", {images.grey} luminance" if images.channels == 1 else ", RGB"),
        "output": f"{OUTPUT}: float32 [batch, {len(description.classes)}]",
        "model": model.digest,
        "gradmix": description.lineage.gradmix,
    }


Run = Callable[[Tensor], Tensor]


def _write_torch(deployed: Deployed, model: Model, path: Path) -> None:
    program = torch.export.export(deployed, (_example(model, 2),), dynamic_shapes=({0: _batch()},))
    # As a file object, since torch requires another file suffix.
    with path.open("wb") as file:
        torch.export.save(
            program, file, extra_files={METADATA: json.dumps(metadata(model), ensure_ascii=False)}
        )


def _read_torch(path: Path) -> Run:
    with path.open("rb") as file:
        module = torch.export.load(file).module()

    def run(images: Tensor) -> Tensor:
        found: Tensor = module(images)
        return found

    return run


def _write_onnx(deployed: Deployed, model: Model, path: Path) -> None:
    import onnx  # noqa: PLC0415 - an extra

    program = torch.onnx.export(
        deployed,
        (_example(model, 2),),
        input_names=[INPUT],
        output_names=[OUTPUT],
        dynamic_shapes=({0: _batch()},),
        dynamo=True,
        verbose=False,
    )
    if program is None:
        raise ModelError("--format onnx: expected a graph, found none; try --format torch.")
    proto = program.model_proto
    for key, value in metadata(model).items():
        entry = proto.metadata_props.add()
        entry.key, entry.value = f"gradmix.{key}", value
    onnx.save(proto, str(path))


def _read_onnx(path: Path) -> Run:
    import onnxruntime  # noqa: PLC0415 - an extra

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def run(images: Tensor) -> Tensor:
        (found,) = session.run([OUTPUT], {INPUT: images.numpy()})
        return torch.from_numpy(np.asarray(found))

    return run


_FORMATS: dict[Format, tuple[Callable[[Deployed, Model, Path], None], Callable[[Path], Run]]] = {
    "onnx": (_write_onnx, _read_onnx),
    "torch": (_write_torch, _read_torch),
}


def _batch() -> Any:  # noqa: ANN401 - torch's Dim
    return torch.export.Dim("batch", min=1)


def _example(model: Model, count: int) -> Tensor:
    """Random images, including a uniform one, whose deviation is bounded below."""
    images = model.description.images
    generator = torch.Generator().manual_seed(0)
    shape = (count, images.side, images.side, images.channels)
    found = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
    found[0] = 128
    return found


def _difference(original: Deployed, run: Run, model: Model) -> float:
    """Largest difference of a probability; raise ModelError if above the tolerance."""
    largest = 0.0
    for count in CHECKED:
        images = _example(model, count)
        found, expected = run(images), original(images)
        difference = float((found - expected).abs().max())
        # NaN must not pass as a small difference.
        if found.shape != expected.shape or not difference <= TOLERANCE:
            raise ModelError(
                f"expected probabilities of the file that differ by at most {TOLERANCE:g} from the "
                f"model's, found {difference:g}; nothing was written: try the other format."
            )
        largest = max(largest, difference)
    return largest
