"""What a user asked for: resolved, named, and checked before anything runs."""

import shlex
from dataclasses import fields
from inspect import signature

import pytest
import torch

from data.digest_cache import KnownDigests
from data.errors import DataError
from data.fingerprint import digest_json
from flows.experiment.experiment_file import load_experiment, settings_of
from flows.experiment.fields import telling
from flows.experiment.run_request import RunRequest
from flows.experiment.run_spec import resolve
from flows.experiment.toml_file import SettingsError
from flows.reproduce import reproduce
from tasks.networks.trunks import build_trunk


def test_options_override_the_file(tiny):
    path = tiny()
    experiment = settings_of(RunRequest(experiment=path, scale="tiny", k=(1, 3), draws=2, seed=9))
    assert (experiment.target.k, experiment.target.draws, experiment.seed) == ((1, 3), 2, 9)


def test_without_options_the_file_stands(tiny):
    experiment = settings_of(RunRequest(experiment=tiny(), scale="tiny"))
    assert (experiment.target.k, experiment.target.draws, experiment.seed) == ((2,), 1, 0)


def test_seed_zero_is_an_option_like_any_other(tiny):
    path = tiny(("seed = 0", "seed = 5"))
    assert settings_of(RunRequest(experiment=path, scale="tiny", seed=0)).seed == 0


def test_the_command_asks_for_the_same_again():
    given = RunRequest(scale="small", data="my data", k=(2, 3), draws=0, seed=0)
    assert shlex.split(given.command) == [
        *("gradmix", "reproduce", "digits", "--scale", "small", "--data", "my data"),
        *("--k", "2", "--k", "3", "--draws", "0", "--seed", "0"),
    ]
    assert RunRequest().command == "gradmix reproduce digits"
    outputs = RunRequest(tables=(1, 2), figures=(), studies=("rho",)).command
    assert outputs.endswith("--tables 1,2 --figures none --studies rho")


def test_a_deployment_asks_in_the_words_of_a_request(monkeypatch):
    asked = []
    monkeypatch.setattr(
        "flows.reproduce.resolve_in", lambda *given: (asked.append(given), ("spec", "home"))[1]
    )
    monkeypatch.setattr("flows.reproduce.run", lambda *_: "folder")
    words = {"scale": "small", "k": [2, 3], "tables": [1, 2], "figures": [], "studies": ["rho"]}
    assert reproduce.fn(**words, seed=0, home="here") == "folder"
    request = RunRequest(
        scale="small", k=(2, 3), seed=0, tables=(1, 2), figures=(), studies=("rho",)
    )
    assert asked.pop() == (request, "here")
    reproduce.fn()
    assert asked.pop() == (RunRequest(scale="demo"), None)


def test_the_deployment_has_a_parameter_for_every_field_of_a_request():
    parameters = signature(reproduce.fn).parameters
    names = [field.name for field in fields(RunRequest)]
    assert list(parameters) == [*names, "home", "engine"]


def test_a_resolved_request_names_its_scale(tiny_order):
    order = tiny_order(("[scales.tiny]", ""), ("[scales.other.", "[scales.demo."), scale=None)
    assert (order.request.scale, order.experiment.scale) == ("demo", "demo")
    assert order.request.command.endswith("tiny.toml --scale demo")


def test_settings_of_version_0_1_keep_the_names_of_reproductions(tiny):
    # Both by commit 349b7d2, with digest_json(load_experiment(...).model_dump(mode="json")).
    actions = load_experiment("actions", "demo")
    assert digest_json(telling(actions)).startswith("a84e1275c979e5d2430f0b2f5edbae54")
    experiment = load_experiment(tiny(), "tiny")
    assert digest_json(telling(experiment)).startswith("5f36e5d7b421cb7068fbf8c905667d99")
    searched = load_experiment(tiny(("momentum = 0.9", "momentum = 0.9\nclip = 1.0")), "tiny")
    assert telling(searched)["training"] == telling(experiment)["training"] | {"clip": 1.0}


def test_the_same_order_has_the_same_name_and_another_has_another(tiny_order, raw_files):
    order = tiny_order()
    assert order.name == f"tiny-tiny-{order.identity[:8]}"
    assert tiny_order().identity == order.identity
    changed = [
        tiny_order(("steps = 20", "steps = 21")),
        tiny_order(seed=1),
        tiny_order(scale="other"),
        tiny_order(data=str(raw_files)),
    ]
    assert len({order.identity, *(other.identity for other in changed)}) == 5


def test_raw_bytes_decide_and_where_they_lie_does_not(tiny_order, raw_files):
    before = tiny_order(data=str(raw_files)).identity
    moved = raw_files.rename(raw_files.with_name("elsewhere"))
    assert tiny_order(data=str(moved)).identity == before
    (moved / "MNIST" / "raw" / "t10k-labels-idx1-ubyte.gz").write_bytes(b"other")
    assert tiny_order(data=str(moved)).identity != before


def test_the_bytes_of_weights_decide_and_where_they_lie_does_not(tiny_order, tmp_path):
    here, there = tmp_path / "here.pt", tmp_path / "there.pt"
    trunk = build_trunk(tiny_order().experiment.network.description, (1, 32, 32))
    torch.save(trunk.state_dict(), here)
    there.write_bytes(here.read_bytes())
    before = tiny_order(weights=str(here)).identity
    assert tiny_order(weights=str(there)).identity == before
    torch.save({name: value + 1 for name, value in trunk.state_dict().items()}, there)
    assert len({before, tiny_order(weights=str(there)).identity, tiny_order().identity}) == 3


def test_embedded_and_real_data_are_different_scopes(tiny_order, raw_files):
    assert tiny_order().scope == "tiny/tiny/embedded"
    assert tiny_order(data=str(raw_files)).scope == "tiny/tiny/real"


def test_wrong_words_are_refused(tiny, tmp_path):
    with pytest.raises(SettingsError, match="experiment: expected one of actions, digits"):
        resolve(RunRequest(experiment="digit"), KnownDigests())
    with pytest.raises(DataError, match="found neither"):
        resolve(RunRequest(experiment=tiny(), scale="tiny", data=str(tmp_path)), KnownDigests())
