"""What a user asked for: resolved, named, and checked before anything runs."""

import shlex

import pytest
import torch

from data.errors import DataError
from flows.experiment.experiment_file import SettingsError
from flows.experiment.run_spec import Invocation, place_order
from tasks.networks.trunks import build_trunk


def test_options_override_the_file(tiny):
    path = tiny()
    experiment = Invocation(experiment=path, scale="tiny", k=(1, 3), draws=2, seed=9).settings()
    assert (experiment.target.k, experiment.target.draws, experiment.seed) == ((1, 3), 2, 9)


def test_without_options_the_file_stands(tiny):
    experiment = Invocation(experiment=tiny(), scale="tiny").settings()
    assert (experiment.target.k, experiment.target.draws, experiment.seed) == ((2,), 1, 0)


def test_seed_zero_is_an_option_like_any_other(tiny):
    path = tiny(("seed = 0", "seed = 5"))
    assert Invocation(experiment=path, scale="tiny", seed=0).settings().seed == 0


def test_the_command_asks_for_the_same_again():
    given = Invocation(scale="small", data="my data", k=(2, 3), draws=0, seed=0)
    assert shlex.split(given.command) == [
        *("gradmix", "reproduce", "digits", "--scale", "small", "--data", "my data"),
        *("--k", "2", "--k", "3", "--draws", "0", "--seed", "0"),
    ]
    assert Invocation().command == "gradmix reproduce digits --scale demo"
    outputs = Invocation(tables=(1, 2), figures=(), studies=("rho",)).command
    assert outputs.endswith("--tables 1,2 --figures none --studies rho")


def test_the_flow_gets_the_same_words():
    given = Invocation(scale="small", k=(2, 3), seed=0)
    assert given.parameters == {
        "experiment": "digits",
        "scale": "small",
        "data": None,
        "k": [2, 3],
        "draws": None,
        "seed": 0,
        "weights": None,
        "partial": False,
        "tables": None,
        "figures": None,
        "studies": None,
    }
    asked = Invocation(tables=(1, 2), figures=(), studies=("rho",)).parameters
    assert (asked["tables"], asked["figures"], asked["studies"]) == ([1, 2], [], ["rho"])
    assert Invocation().parameters["k"] is None


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
        place_order(Invocation(experiment="digit"))
    with pytest.raises(DataError, match="found neither"):
        place_order(Invocation(experiment=tiny(), scale="tiny", data=str(tmp_path)))
