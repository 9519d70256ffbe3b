"""timm's models as trunks: what they end in, their normalisation, their weights."""

import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors.torch import save_file

from data.errors import DataError
from gradmix.grouping import trunk_layers
from gradmix.networks import Network
from gradmix.normalisation import normalise
from tasks.errors import StageError
from tasks.networks.check import check_trunk
from tasks.networks.declared import code_digest, normalisation_of
from tasks.networks.timm_models import in_names_of
from tasks.networks.trunks import build_trunk
from tasks.networks.weights import fetch_weights, find_weights

SHAPE = (3, 64, 64)


@pytest.fixture(scope="module")
def timm() -> ModuleType:
    """Imported by the tests that need it: collecting all tests would take half as long again."""
    import timm

    return timm


def trunk_of(name: str, weights: Path | None = None, shape=SHAPE, **settings) -> torch.nn.Module:
    torch.manual_seed(0)
    return build_trunk({"trunk": f"timm:{name}", "settings": settings}, shape, weights)


def images(seed: int = 1) -> torch.Tensor:
    return torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(seed))


TINY = {"embed_dim": 8, "depths": (1, 1, 1, 1), "num_heads": (1, 1, 1, 1)}


@pytest.mark.parametrize(
    ("name", "settings", "ends_in"),
    [
        ("test_resnet", {}, (96, 2, 2)),
        ("test_convnext", {}, (64, 2, 2)),
        # Tokens are no map: its pooled features.
        ("test_vit", {}, (64,)),
        # Its maps have the channels last.
        ("swin_s3_tiny_224", TINY, (64, 2, 2)),
        # It can only pool.
        ("inception_next_atto", {}, (960,)),
    ],
)
def test_a_model_ends_in_a_map_where_it_has_one_else_in_features(name, settings, ends_in) -> None:
    assert Network(trunk_of(name, **settings), {}, SHAPE).ends_in == ends_in


def test_a_map_is_what_the_model_pools(timm) -> None:
    whole = timm.create_model("test_resnet", num_classes=0).eval()
    trunk = trunk_of("test_resnet").eval()
    trunk.load_state_dict(whole.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(trunk(images()).mean((2, 3)), whole(images()))


def test_with_global_pool_a_model_ends_in_its_own_pooled_features() -> None:
    trunk = trunk_of("test_resnet", global_pool="max").eval()
    with torch.no_grad():
        expected = trunk.forward_features(images()).amax((2, 3))
        torch.testing.assert_close(trunk(images()), expected)


def test_a_fixed_input_size_is_that_of_the_images() -> None:
    assert trunk_of("test_vit").pos_embed.shape[1] == 1 + (64 // 16) ** 2
    assert trunk_of("test_resnet", shape=(1, 64, 64)).conv1[0].in_channels == 1


@pytest.mark.parametrize("name", ["test_resnet", "test_vit", "test_convnext"])
def test_every_parameter_of_a_trunk_is_trained_and_belongs_to_a_layer(name) -> None:
    network = Network(trunk_of(name), {"target": 2}, SHAPE)
    network(images(), "target").square().sum().backward()
    untouched = [n for n, p in network.named_parameters() if p.grad is None]
    assert untouched == []
    in_layers = {n for layer in trunk_layers(network) for n in layer.parameters}
    assert in_layers == {n for n, _ in network.named_parameters() if not n.startswith("heads.")}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("resnet18", "imagenet"),
        ("test_vit", "half"),
        ("vit_base_patch16_clip_224.openai", "clip"),
        ("efficientvit_m0", "imagenet"),
        ("mobilevit_xxs", "unit"),
    ],
)
def test_images_are_normalised_as_for_the_weights(timm, name, expected) -> None:
    """As torchvision's `Normalize` with the model's mean and deviation would."""
    assert normalisation_of(f"timm:{name}") == expected
    config = timm.get_pretrained_cfg(name)
    stored = torch.arange(2 * 4 * 4 * 3, dtype=torch.uint8).view(2, 4, 4, 3)
    mean, deviation = (torch.tensor(v)[:, None, None] for v in (config.mean, config.std))
    by_hand = (stored.permute(0, 3, 1, 2) / 255 - mean) / deviation
    torch.testing.assert_close(normalise(stored, expected), by_hand)


def test_colours_that_are_not_ours_are_refused_with_what_they_are() -> None:
    with pytest.raises(
        StageError, match=r"expected one of .*, found mean \(0\.43, 0\.411, 0\.296\)"
    ):
        normalisation_of("timm:vit_large_patch16_dinov3.sat493m")


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("resnet81", r"'resnet81'; did you mean timm:resnet18\?"),
        ("resnet18.a1_in2k", r"'resnet18\.a1_in2k'; did you mean timm:resnet18\.a\d_in1k\?"),
        ("qqq", r"'qqq'; timm\.list_models\(\) names them"),
        ("hf-hub:timm/resnet18", r"'hf-hub:timm/resnet18'; "),
        ("local-dir:/tmp/model", r"'local-dir:/tmp/model'; "),
        ("", "''; "),
    ],
)
def test_a_model_that_timm_does_not_have_is_refused_and_never_looked_for_elsewhere(
    name, found
) -> None:
    with pytest.raises(StageError, match=rf"expected a model of timm, found {found}") as error:
        trunk_of(name)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["pretrained", "checkpoint_path", "num_classes", "in_chans"])
def test_what_is_no_setting_of_a_model_is_refused(name) -> None:
    with pytest.raises(StageError, match=rf"settings: expected .* found {name}; leave it out"):
        trunk_of("test_resnet", **{name: True})


def test_without_timm_it_is_said_what_to_install(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(StageError, match=r"expected the package timm, .*install gradmix\[timm\]"):
        trunk_of("resnet18")


def test_the_version_of_timm_says_what_a_model_is(timm) -> None:
    assert code_digest("timm:test_resnet") == f"timm {timm.__version__}"


def test_images_that_do_not_fit_a_model_are_refused_with_its_own_size() -> None:
    with pytest.raises(
        StageError, match=r"take images \[3, 70, 70\].*images\.side, for one to 160"
    ):
        trunk_of("test_vit", shape=(3, 70, 70))


def test_a_trunk_without_a_map_is_refused_where_a_method_reads_one() -> None:
    network = {"trunk": "timm:test_vit", "settings": {}, "frozen": ""}
    check_trunk(network, SHAPE, None, needs_map=False)
    with pytest.raises(StageError, match=r"network\.trunk: expected a trunk that ends in a map"):
        check_trunk(network, SHAPE, None, needs_map=True)


# Weights


@pytest.mark.parametrize("suffix", ["safetensors", "pt"])
@pytest.mark.parametrize("name", ["test_resnet", "test_vit"])
def test_published_weights_fill_the_trunk_and_their_classifier_is_not_used(
    timm, tmp_path, name, suffix
) -> None:
    torch.manual_seed(7)
    whole = timm.create_model(name, img_size=64) if "vit" in name else timm.create_model(name)
    # A name of its own, as the home folder keeps it.
    path = tmp_path / "weights.pt"
    save = save_file if suffix == "safetensors" else torch.save
    save(whole.state_dict(), path)
    with torch.no_grad():
        expected = whole.eval().forward_head(whole.forward_features(images()), pre_logits=True)
        found = Network(trunk_of(name, path).eval(), {}, SHAPE).eval().embed(images())
    torch.testing.assert_close(found, expected)


def test_position_embeddings_of_another_size_are_resampled(timm, tmp_path) -> None:
    """timm's own resampling: as when it loads the same weights for images of that size."""
    torch.manual_seed(7)
    whole = timm.create_model("test_vit")
    save_file(whole.state_dict(), tmp_path / "w.safetensors")
    overlay = {"state_dict": dict(whole.state_dict())}
    expected = timm.create_model(
        "test_vit", pretrained=True, pretrained_cfg_overlay=overlay, img_size=64
    )
    trunk = trunk_of("test_vit", tmp_path / "w.safetensors")
    assert whole.pos_embed.shape != trunk.pos_embed.shape
    torch.testing.assert_close(trunk.pos_embed, expected.pos_embed)


def test_weights_of_another_model_are_refused(timm, tmp_path) -> None:
    save_file(timm.create_model("test_resnet").state_dict(), tmp_path / "w.safetensors")
    for name in ("test_vit", "test_convnext"):
        with pytest.raises(StageError, match=r"network\.weights: expected .*take the weights of"):
            trunk_of(name, tmp_path / "w.safetensors")


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Path:
    """An empty cache of the hub; whatever is fetched is written down."""
    import huggingface_hub

    cached = tmp_path / "model.safetensors"

    def look(repository: str, file: str) -> str | None:
        assert (repository, file) == ("timm/test_vit.r160_in1k", "model.safetensors")
        return str(cached) if cached.exists() else None

    def fetch(repository: str, file: str) -> str:
        assert (repository, file) == ("timm/test_vit.r160_in1k", "model.safetensors")
        cached.touch()
        return str(cached)

    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", look)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fetch)
    return cached


def test_pretrained_weights_are_fetched_on_request_only(hub) -> None:
    with pytest.raises(StageError, match=r"of timm/test_vit\.r160_in1k .* fetch it with --downl"):
        find_weights("timm:test_vit", "pretrained")
    assert not hub.exists()
    fetch_weights("timm:test_vit", "none")
    assert not hub.exists()
    fetch_weights("timm:test_vit", "pretrained")
    assert find_weights("timm:test_vit", "pretrained") == hub


def test_what_is_cached_is_not_asked_for_again(hub, monkeypatch) -> None:
    hub.touch()
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda *_: pytest.fail("it was asked"))
    fetch_weights("timm:test_vit", "pretrained")


def test_position_embeddings_that_timm_resamples_otherwise_are_refused(timm) -> None:
    model = timm.create_model("test_vit", num_classes=0, img_size=64)
    native = timm.create_model("test_vit", num_classes=0).state_dict()
    assert in_names_of(model, native)["pos_embed"].shape == model.pos_embed.shape
    model.pretrained_cfg = {**model.pretrained_cfg, "architecture": "flexivit_small"}
    with pytest.raises(StageError, match=r"^network\.weights: expected flexivit_small for images"):
        in_names_of(model, native)
    assert in_names_of(model, model.state_dict()).keys() >= {"pos_embed"}


def test_a_failing_hub_is_one_line(monkeypatch) -> None:
    def fail(repository: str, file: str) -> str:
        raise ConnectionError("no route\nto host")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", fail)
    with pytest.raises(DataError, match=r"found: no route to host; try again") as error:
        fetch_weights("timm:test_vit", "pretrained")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("trunk", "weights", "advice"),
    [
        ("timm:test_vit", "imagenet", r"for resnet18, efficientnet_lite0; give pretrained or a f"),
        ("resnet18", "pretrained", r"known for timm:NAME; give a file"),
    ],
)
def test_each_word_for_published_weights_has_its_trunks(trunk, weights, advice) -> None:
    with pytest.raises(StageError, match=advice):
        find_weights(trunk, weights)
