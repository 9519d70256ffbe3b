"""Exported files: the model's numbers, any batch size, and nothing written that differs."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tasks.models import export
from tasks.models.description import ModelError
from tasks.models.export import METADATA, export_model
from tasks.models.network import Model, load_model_folder


def test_a_program_of_torch_averages_the_members_and_names_the_classes(
    toy, members: Path, tmp_path: Path
) -> None:
    model, out = load_model_folder(members), tmp_path / "model.pt2"
    assert export_model(model, "torch", out) <= export.TOLERANCE
    extra = {METADATA: ""}
    program = torch.export.load(str(out), extra_files=extra)
    # Not every device has double precision.
    assert "float64" not in str(program.graph)
    module = program.module()
    images = torch.from_numpy(toy.test.images[:5])
    expected = model.probabilities(images).mean(0)
    torch.testing.assert_close(module(images), expected, rtol=0, atol=1e-4)
    said = json.loads(extra[METADATA])
    assert json.loads(said["classes"]) == ["2", "3"]
    assert said["model"] == model.digest
    assert "uint8 [batch, 32, 32, 1]" in said["input"]


@pytest.mark.filterwarnings("ignore")
def test_an_onnx_file_averages_the_members_and_names_the_classes(
    toy, members: Path, tmp_path: Path
) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    model, out = load_model_folder(members), tmp_path / "model.onnx"
    assert export_model(model, "onnx", out) <= export.TOLERANCE
    session = onnxruntime.InferenceSession(str(out))
    images = toy.test.images[:5]
    (found,) = session.run(["probabilities"], {"images": images})
    expected = model.probabilities(torch.from_numpy(images)).mean(0)
    torch.testing.assert_close(torch.from_numpy(found), expected, rtol=0, atol=1e-4)
    said = session.get_modelmeta().custom_metadata_map
    assert json.loads(said["gradmix.classes"]) == ["2", "3"]
    assert [path.name for path in tmp_path.glob("model.onnx*")] == ["model.onnx"]


@pytest.fixture
def other_numbers(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Makes written files, which hold nothing, give other probabilities than the model."""

    def make(by: float) -> None:
        written: list[export.Deployed] = []

        def write(deployed: export.Deployed, _: Model, path: Path) -> None:
            path.touch()
            written.append(deployed)

        def off(path: Path) -> Callable[[Tensor], Tensor]:
            assert path.exists()
            return lambda images: written[0](images) + by

        monkeypatch.setitem(export._FORMATS, "torch", (write, off))

    return make


@pytest.mark.parametrize("by", [2e-4, -2e-4, float("nan")])
def test_a_file_with_other_numbers_is_not_written(
    single: Path, tmp_path: Path, other_numbers, by: float
) -> None:
    other_numbers(by)
    out = tmp_path / "model.pt2"
    out.write_text("an older file")
    with pytest.raises(ModelError, match="differ by at most 0"):
        export_model(load_model_folder(single), "torch", out)
    assert out.read_text() == "an older file"
    assert list(tmp_path.glob(".*")) == []


def test_without_the_extra_one_line_names_it(
    single: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(ModelError, match=r"expected the package onnx.* install gradmix\[export\]"):
        export_model(load_model_folder(single), "onnx", tmp_path / "model.onnx")
    assert list(tmp_path.glob("*.onnx")) == []


def test_what_cannot_be_exported_is_one_line(
    single: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no\nsuch thing")

    monkeypatch.setitem(export._FORMATS, "torch", (fail, export._read_torch))
    with pytest.raises(ModelError, match="RuntimeError: no such thing; try the other format"):
        export_model(load_model_folder(single), "torch", tmp_path / "model.pt2")
    with pytest.raises(ModelError, match="--out: expected a file in a folder"):
        export_model(load_model_folder(single), "torch", tmp_path / "none" / "model.pt2")
