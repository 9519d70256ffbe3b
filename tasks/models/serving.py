"""Model folders in MLflow's serving: pictures in, labels out, nothing unpickled."""

import base64
import binascii
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from PIL import Image

from data.errors import DataError
from data.images.decode import decode_photo
from tasks.models.description import ImageDescription, ModelError
from tasks.models.labels import labels_of
from tasks.models.network import Model, load_model_folder
from tasks.models.pixels import as_read

IMAGE = "image"
"""Column of the pictures; the column of a single-column table may have any name."""
BATCH = 64
EXPECTED = (
    "the bytes of a picture in base64, or uint8 pixels [H, W], [H, W, 1] or [H, W, 3], one for "
    "each row"
)


class Served:
    """Model returned by `mlflow.pyfunc.load_model`.

    Args:
        model: the model.
    """

    def __init__(self, model: Model) -> None:
        self.model = model

    def predict(self, pictures: Any, params: Any = None) -> pd.DataFrame:  # noqa: ANN401 - MLflow's
        """Columns of `gradmix predict` except the path, and `probabilities` by class.

        Args:
            pictures: a table with a column `image`, a list of pictures, or pixels [N, H, W(, C)].
            params: unused.

        Raises:
            ModelError: if a picture cannot be read.
        """
        del params
        listed = _listed(pictures)
        images = self.model.description.images
        pixels = [_pixels(picture, row, images) for row, picture in enumerate(listed)]
        parts = [
            self.model.probabilities(torch.from_numpy(np.stack(pixels[start : start + BATCH])))
            for start in range(0, len(pixels), BATCH)
        ]
        if not parts:
            raise ModelError(f"expected {EXPECTED}, found no row; send at least one picture.")
        by_member = torch.cat(parts, dim=1)
        labels = labels_of(by_member, self.model.description.classes)
        classes = self.model.description.classes
        of_classes = (dict(zip(classes, row, strict=True)) for row in by_member.mean(0).tolist())
        rows = zip(labels, of_classes, strict=True)
        return pd.DataFrame([{**label.columns, "probabilities": whole} for label, whole in rows])


def _load_pyfunc(path: str) -> Served:
    """Load a model; the name is required by MLflow."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return Served(load_model_folder(Path(path), device))


def _listed(pictures: Any) -> Sequence[Any]:  # noqa: ANN401
    if isinstance(pictures, pd.DataFrame):
        if IMAGE not in pictures and len(pictures.columns) != 1:
            raise ModelError(
                f"expected a column {IMAGE!r}, found {', '.join(map(str, pictures.columns))}; "
                "rename it."
            )
        column = pictures[IMAGE] if IMAGE in pictures else pictures.iloc[:, 0]
        return list(column)
    if isinstance(pictures, dict) and IMAGE in pictures:
        return list(pictures[IMAGE])
    return list(pictures)


def _pixels(picture: Any, row: int, images: ImageDescription) -> npt.NDArray[np.uint8]:  # noqa: ANN401
    """Network input for one picture: uint8 [side, side, channels]."""
    try:
        if isinstance(picture, str):
            picture = base64.b64decode(picture.partition("base64,")[2] or picture, validate=True)
        if isinstance(picture, bytes):
            return as_read(decode_photo(io.BytesIO(picture), images.side), images)
        return as_read(Image.fromarray(_array(picture)), images)
    except DataError as error:
        raise ModelError(
            f"row {row}: expected {EXPECTED}, found bytes that are no picture."
        ) from error
    except (binascii.Error, ValueError, TypeError) as error:
        found = " ".join(str(error).split())[:200]
        raise ModelError(
            f"row {row}: expected {EXPECTED}, found another value ({found})."
        ) from error


def _array(values: Any) -> npt.NDArray[np.uint8]:  # noqa: ANN401
    found = np.asarray(values)
    if found.dtype.kind not in "iu" or found.size == 0 or found.min() < 0 or found.max() > 255:
        raise ValueError(f"{found.dtype} {list(found.shape)}, not whole numbers in 0..255")
    if found.ndim == 3 and found.shape[2] == 1:
        found = found[..., 0]
    if found.ndim != 2 and not (found.ndim == 3 and found.shape[2] == 3):
        raise ValueError(f"the shape {list(found.shape)}")
    return found.astype(np.uint8)
