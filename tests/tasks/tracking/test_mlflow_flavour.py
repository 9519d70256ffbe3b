"""A model folder in MLflow: loaded and served without pickle, and fetched as it was."""

import base64
import io
import json
import warnings
from pathlib import Path

import pytest
from PIL import Image

from tasks.models.network import load_model_folder
from tasks.models.serving import Served
from tasks.tracking.mlflow_flavour import fetch_model
from tasks.tracking.mlflow_store import TrackingError
from tests.tasks.models.conftest import model_inputs, single

__all__ = ["model_inputs", "single"]


@pytest.fixture
def logged(home, tracker, identity, single, tmp_path, monkeypatch) -> tuple[str, str]:
    """Ids of a run and of its model, to which a folder was added twice, as a rerun does."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{home / 'mlflow.db'}")
    run = tracker.start_run("r", identity, "train")
    weights = tmp_path / "model.pt"
    weights.write_bytes(b"weights")
    model = tracker.log_model(run, "GradMix", identity, weights)
    for _ in range(2):
        tracker.log_model_folder(model, single)
    tracker.register_champion("gradmix-toy", model, {}, "")
    return run, model


@pytest.fixture
def uris(logged) -> list[str]:
    run, model = logged
    return ["models:/gradmix-toy@champion", f"models:/{model}", f"runs:/{run}/GradMix"]


def test_every_address_gives_the_folder(uris, single, tmp_path) -> None:
    for number, uri in enumerate(uris):
        found = fetch_model(uri, tmp_path / str(number))
        assert load_model_folder(found).digest == load_model_folder(single).digest
        assert {path.name for path in found.iterdir()} >= {"MLmodel", "model.json", "README.md"}
        assert [path for path in found.rglob("*") if path.suffix in {".pkl", ".pickle"}] == []


def test_mlflow_loads_and_serves_the_same_numbers(toy, uris, single) -> None:
    from fastapi.testclient import TestClient

    with warnings.catch_warnings(action="ignore"):
        from mlflow.pyfunc import load_model, scoring_server

    loaded = load_model(uris[0])
    contents = []
    for image in toy.test.images[:4]:
        buffer = io.BytesIO()
        Image.fromarray(image[..., 0]).save(buffer, "PNG")
        contents.append(buffer.getvalue())
    expected = Served(load_model_folder(single)).predict(contents).to_dict("records")
    texts = [base64.b64encode(content).decode() for content in contents]
    client = TestClient(scoring_server.init(loaded))
    for body in (
        {"dataframe_split": {"columns": ["image"], "data": [[text] for text in texts]}},
        {"dataframe_records": [{"image": text} for text in texts]},
        {"inputs": toy.test.images[:4, ..., 0].tolist()},
    ):
        answer = client.post("/invocations", json=body)
        assert answer.status_code == 200, answer.text
        assert json.loads(answer.text)["predictions"] == expected
    assert client.post("/invocations", json={"inputs": ["no picture"]}).status_code == 400


def test_an_address_of_nothing_is_refused_in_one_line(logged, tmp_path: Path) -> None:
    for uri in ("models:/nothing@champion", "models:/m-0", "runs:/0/x", "models:/"):
        with pytest.raises(TrackingError, match="expected a model in MLflow at") as error:
            fetch_model(uri, tmp_path / "folder")
        assert "\n" not in str(error.value)
