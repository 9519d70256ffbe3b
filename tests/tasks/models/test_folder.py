"""Model folders: the same logits as the trained networks, whole or not there, refused by name."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open

from data.fingerprint import sha256_file
from gradmix.declarations.methods import METHODS
from gradmix.declarations.optimiser import OptimiserConfig
from gradmix.methods import build_method
from gradmix.metrics import probabilities, score
from gradmix.networks import predict
from tasks.jobs import evaluate as evaluate_job
from tasks.jobs.features import stored_maps
from tasks.jobs.inputs.evaluate import EvaluateJob
from tasks.jobs.inputs.models import TrainedModel
from tasks.jobs.models import build_network, trained_network
from tasks.models.card import card_text
from tasks.models.description import ModelError, read_description
from tasks.models.folder import ModelInputs, Trained, write_model_folder
from tasks.models.network import load_model_folder
from tasks.networks.description import NetworkDescription
from tests.tasks.conftest import TOY_MAP_NETWORK, TOY_NETWORK
from tests.tasks.given import given

CPU = torch.device("cpu")


@pytest.mark.parametrize("method", METHODS)
def test_a_model_folder_gives_the_logits_that_the_evaluation_scores(
    toy, model_inputs: Callable[..., ModelInputs], tmp_path: Path, method: str
) -> None:
    job, images = toy.train_job(method=method, settings={}), torch.from_numpy(toy.test.images)
    network = build_network(job, images, CPU)
    build_method(method, network, ["S1", "S2"], OptimiserConfig(), {})
    with torch.no_grad():
        # Running statistics that are those of no fresh network.
        network.train()
        network(torch.randn(16, 1, 32, 32), "target")
    training = tmp_path / "training"
    training.mkdir()
    torch.save(network.state_dict(), training / "model.pt")
    finished = TrainedModel(folder=training, method=method, sources=("S1", "S2"))
    scored = predict(trained_network(job, finished, images, CPU), images)

    trained = Trained(**vars(finished), identity="i", run_id="r")
    of = TOY_MAP_NETWORK if METHODS[method].needs_map else TOY_NETWORK
    inputs = model_inputs(members=(trained,), network=given(NetworkDescription, of))
    write_model_folder(inputs, tmp_path / "model")
    model = load_model_folder(tmp_path / "model")
    with torch.inference_mode():
        found = model.networks.members[0](images)
    torch.testing.assert_close(found, scored, rtol=0, atol=0)


FROZEN = {"settings": {}, "normalisation": "image", "weights": None, "code": None}


@pytest.mark.parametrize(
    "of",
    [
        {"trunk": "frozen_in_a_folder:make", "frozen": "1"},
        {"trunk": "frozen_in_a_folder:make", "frozen": "all"},
        {"trunk": "timm:test_vit", "frozen": "all", "normalisation": "half"},
    ],
    ids=["a part", "all", "timm"],
)
def test_a_frozen_trunk_is_in_the_folder_so_that_it_reads_raw_images(
    toy, model_inputs: Callable[..., ModelInputs], tmp_path: Path, of: dict[str, Any]
) -> None:
    """The evaluation scores what is stored of the frozen part's maps; the folder makes them."""
    (tmp_path / "frozen_in_a_folder.py").write_text(
        "from torch import nn\n"
        "def make():\n"
        "    first, last = nn.Conv2d(1, 5, 2, 2), nn.Conv2d(5, 3, 3)\n"
        "    return nn.Sequential(first, nn.ReLU(), last, nn.ReLU())\n"
    )
    trunk = {**FROZEN, **of}
    description, images = given(NetworkDescription, trunk), torch.from_numpy(toy.test.images)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(tmp_path)
        maps = torch.from_numpy(stored_maps(description, None, images, CPU, tmp_path / "maps.npy"))
        network = build_network(toy.train_job(network=trunk), maps, CPU)
        (tmp_path / "training").mkdir()
        torch.save(network.state_dict(), tmp_path / "training" / "model.pt")
        trained = Trained(
            folder=tmp_path / "training", method="gradmix", sources=("S1",), identity="", run_id=""
        )
        write_model_folder(
            model_inputs(members=(trained,), network=description), tmp_path / "model"
        )
        # Weights that the factory draws are those of the folder, whatever the seed says now.
        torch.manual_seed(1234)
        model = load_model_folder(tmp_path / "model")
    with torch.inference_mode():
        found = model.networks.members[0](images)
    torch.testing.assert_close(found, predict(network, maps), rtol=0, atol=0)


def test_the_folder_scores_on_the_sealed_test_what_the_evaluation_job_says(
    toy, single: Path, model_inputs: Callable[..., ModelInputs], tmp_path: Path
) -> None:
    finished = tmp_path / "training-1"
    job = toy.job()
    words = {name: job[name] for name in ("network", "heads", "weights", "seed", "classes")}
    whole = {
        **words,
        "test": str(toy.folder / "test"),
        "target": str(toy.folder / "target"),
        "pseudo_labels": {},
        "models": {"row": {"folder": str(finished), "method": "gradmix", "sources": ["S1", "S2"]}},
    }
    said = evaluate_job.run(given(EvaluateJob, whole), tmp_path).summary["test"]["row"]
    rows = np.flatnonzero(toy.test.labels >= 2)
    images, labels = toy.test.images[rows], torch.from_numpy(toy.test.labels[rows] - 2)
    model = load_model_folder(single)
    with torch.inference_mode():
        found = score(model.networks.members[0], torch.from_numpy(images), labels)
    assert (found.accuracy, found.loss) == (said["accuracy"], said["loss"])


def test_members_are_kept_apart(toy, members: Path) -> None:
    images = torch.from_numpy(toy.test.images)
    found = load_model_folder(members).probabilities(images)
    expected = [
        probabilities(partial(predict, toy.network(seed=seed)), images) for seed in (1, 2, 3)
    ]
    torch.testing.assert_close(found, torch.stack(expected), rtol=0, atol=0)


def test_the_folder_says_what_it_holds(single: Path, members: Path) -> None:
    files = {"model.json", "README.md", "model.safetensors"}
    assert {path.name for path in single.iterdir()} == files
    description = read_description(single)
    assert (description.kind, description.classes) == ("single", ("2", "3"))
    assert description.files.keys() == files - {"model.json"}
    assert read_description(members).kind == "members"
    assert len(list(members.glob("member-*.safetensors"))) == 3
    with safe_open(single / "model.safetensors", "pt") as file:
        names = set(file.keys())
    assert "network.heads.target.weight" in names
    # S2's head predicts nothing of the target's.
    assert not [name for name in names if ".S2." in name]


def test_the_card_names_classes_figures_commands_and_limits(single: Path) -> None:
    card = (single / "README.md").read_text()
    for text in ("2, 3", "75.0 % ± 15.3", "S1: made here", "gradmix predict", "## Limits"):
        assert text in card


def test_the_card_of_clips_counts_clips(single: Path) -> None:
    description = read_description(single)
    images = replace(description.images, media="clips", frames=10)
    figures = replace(description.figures, test_n=100, test_clip_accuracy=0.6, test_clips=10)
    card = card_text(replace(description, images=images, figures=figures))
    # sqrt(.75 * .25 / 8) and, over 10 clips of 10 frames, sqrt(.5 * .5 / 10).
    assert "| hyper-validation frames | 75.0 % ± 15.3 | 8 clips |" in card
    assert "| test frames | 50.0 % ± 15.8 | 100 |" in card
    assert "standard error over clips, as frames of one clip are alike" in card


def test_the_card_says_what_a_trunk_of_timm_needs(
    single: Path,
) -> None:
    description = read_description(single)
    assert "gradmix[timm]" not in card_text(description)
    of_timm = replace(description, network=replace(description.network, trunk="timm:resnet18"))
    assert "`pip install 'gradmix[timm]'`" in card_text(of_timm)


def test_an_equal_folder_stays_and_another_takes_its_place(
    model_inputs: Callable[..., ModelInputs], tmp_path: Path
) -> None:
    folder, inputs = tmp_path / "model", model_inputs(1)
    write_model_folder(inputs, folder)
    made = (folder / "model.json").stat().st_ino
    later = replace(inputs, lineage=replace(inputs.lineage, made="2027-01-01T00:00:00+00:00"))
    write_model_folder(later, folder)
    assert (folder / "model.json").stat().st_ino == made
    # A damaged file is no equal folder.
    (folder / "model.safetensors").write_bytes(b"")
    write_model_folder(inputs, folder)
    load_model_folder(folder)
    write_model_folder(replace(inputs, figures=replace(inputs.figures, test_n=11)), folder)
    assert read_description(folder).figures.test_n == 11
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_what_cannot_be_made_leaves_the_old_folder(
    model_inputs: Callable[..., ModelInputs], tmp_path: Path
) -> None:
    folder, inputs = tmp_path / "model", model_inputs(1, 2)
    write_model_folder(inputs, folder)
    before = (folder / "model.json").read_bytes()
    (inputs.members[1].folder / "model.pt").write_bytes(b"no weights")
    changed = replace(inputs, lineage=replace(inputs.lineage, draw=5))
    with pytest.raises(ModelError, match="expected the weights of a finished training"):
        write_model_folder(changed, folder)
    assert (folder / "model.json").read_bytes() == before
    assert [path.name for path in tmp_path.glob(".*")] == []


def changed_json(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    content = json.loads((folder / "model.json").read_text())
    change(content)
    (folder / "model.json").write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda c: c.update(format=99), "expected a model of format 1, found 99"),
        (lambda c: c.pop("classes"), "expected the key 'classes', found none"),
        (lambda c: c.update(colour="red"), "found the unknown 'colour'"),
        (lambda c: c["images"].update(resampling="PIL bicubic"), "PIL bilinear"),
        (lambda c: c["members"][0].update(file="../other"), "found '../other'"),
        (lambda c: c["members"][0].update(method="magic"), "found 'magic'"),
        (lambda c: c["members"][0].update(method="mdda"), "found others"),
        (lambda c: c.update(classes=["2", "3", "4"]), "found others"),
        (lambda c: c["network"].update(trunk="not_here:make"), "not_here:make"),
        (lambda c: c.update(members=[]), "expected one member, found 0"),
    ],
)
def test_another_description_is_refused_by_name(single: Path, change: Any, text: str) -> None:
    changed_json(single, change)
    with pytest.raises((ModelError, RuntimeError), match=text) as error:
        load_model_folder(single)
    assert "\n" not in str(error.value)


def test_damaged_and_missing_files_are_refused(single: Path, tmp_path: Path) -> None:
    shutil.copytree(single, tmp_path / "copy")
    weights = tmp_path / "copy" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ModelError, match="expected SHA-256"):
        load_model_folder(tmp_path / "copy")
    weights.unlink()
    with pytest.raises(ModelError, match="copy the whole model folder"):
        load_model_folder(tmp_path / "copy")
    with pytest.raises(ModelError, match="found none; name a model folder, champion"):
        load_model_folder(tmp_path / "nowhere")
    (single / "model.json").write_bytes(b"\xff\xfe")
    with pytest.raises(ModelError, match="one that cannot be read"):
        load_model_folder(single)


def test_loading_draws_nothing_from_torchs_generator(single: Path) -> None:
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    load_model_folder(single)
    assert torch.rand(1) == expected


def test_a_trunk_of_the_users_own_has_to_be_the_file_that_it_was(
    toy, model_inputs: Callable[..., ModelInputs], tmp_path: Path
) -> None:
    module = tmp_path / "trunk_in_a_folder.py"
    module.write_text(
        "from torch import nn\n"
        "def make():\n"
        "    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU())\n"
    )
    trunk = {
        "trunk": "trunk_in_a_folder:make",
        "settings": {},
        "normalisation": "image",
        "frozen": "",
        "weights": None,
        "code": sha256_file(module),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(tmp_path)
        network = toy.network(network=trunk)
        (tmp_path / "training").mkdir()
        torch.save(network.state_dict(), tmp_path / "training" / "model.pt")
        trained = Trained(
            folder=tmp_path / "training", method="gradmix", sources=(), identity="", run_id=""
        )
        inputs = model_inputs(members=(trained,), network=given(NetworkDescription, trunk))
        write_model_folder(inputs, tmp_path / "model")
        module.write_text(module.read_text() + "# other\n")
        with pytest.raises(ModelError, match="put that file back"):
            load_model_folder(tmp_path / "model")
