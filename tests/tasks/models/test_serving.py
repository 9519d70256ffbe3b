"""A model folder behind MLflow's interface: the same numbers, whatever way a picture is sent."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from tasks.models.description import ModelError
from tasks.models.labels import labels_of
from tasks.models.network import load_model_folder
from tasks.models.serving import Served, _load_pyfunc


@pytest.fixture
def served(members: Path) -> Served:
    return _load_pyfunc(str(members))


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def test_labels_are_those_of_the_folder(toy, served: Served, members: Path) -> None:
    images = toy.test.images[:5]
    found = served.predict(pd.DataFrame({"image": [png(image[..., 0]) for image in images]}))
    by_member = load_model_folder(members).probabilities(torch.from_numpy(images))
    for row, label in zip(found.to_dict("records"), labels_of(by_member, ("2", "3")), strict=True):
        assert {name: row[name] for name in label.columns} == label.columns
        assert sum(row["probabilities"].values()) == pytest.approx(1.0)
        assert row["probabilities"][row["label"]] == pytest.approx(row["confidence"])


def test_every_way_to_send_a_picture_gives_the_same(toy, served: Served) -> None:
    pixels = toy.test.images[0]
    content, text = png(pixels[..., 0]), base64.b64encode(png(pixels[..., 0])).decode()
    ways: list[Any] = [
        pd.DataFrame({"image": [content]}),
        pd.DataFrame({"image": [text]}),
        pd.DataFrame({"anything": [f"data:image/png;base64,{text}"]}),
        pd.DataFrame({"image": [pixels[..., 0].tolist()]}),
        [content],
        {"image": [text]},
        pixels[np.newaxis],
        np.repeat(pixels, 3, axis=2)[np.newaxis],
    ]
    first, *others = (served.predict(way).to_dict("records") for way in ways)
    assert [other for other in others if other != first] == []


@pytest.mark.parametrize(
    ("pictures", "text"),
    [
        (["no base64!"], "row 0: expected the bytes of a picture in base64"),
        ([b"no picture"], "found bytes that are no picture"),
        ([[[0.5]]], "not whole numbers in 0..255"),
        ([[[256]]], "not whole numbers in 0..255"),
        ([[1, 2]], "the shape"),
        ([], "found no row"),
        (pd.DataFrame({"a": ["x"], "b": ["y"]}), "expected a column 'image', found a, b"),
    ],
)
def test_what_is_no_picture_is_refused_in_one_line(
    served: Served, pictures: Any, text: str
) -> None:
    with pytest.raises(ModelError, match=text) as error:
        served.predict(pictures)
    assert "\n" not in str(error.value)
