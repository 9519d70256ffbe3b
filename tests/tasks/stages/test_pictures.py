"""Photos and frames as prepared sets, and what frozen parts of a trunk make of them."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from data.broken_files import check_share
from data.errors import DataError
from data.fingerprint import sha256_file
from data.frames.chunks import Clip, extract_chunk
from data.frames.sampling import Sampling
from data.frames.store import merge
from data.raw_files import FILES, raw_files
from data.sealed import open_sealed_test
from data.tables.image_set import load_prepared
from gradmix.networks import Network, predict
from gradmix.normalisation import normalise
from tasks.engine.runtime import Runtime, use
from tasks.errors import StageError
from tasks.execution import slot_runner as slot_job
from tasks.execution.processes import ChildFailedError
from tasks.execution.slot_runner import SlotRunner
from tasks.execution.slots import Slot, SlotPool
from tasks.jobs import __main__ as worker
from tasks.jobs.features import frozen_maps, stored_maps
from tasks.jobs.inputs.models import NetworkInputs
from tasks.jobs.models import build_network
from tasks.networks.description import NetworkDescription
from tasks.networks.parts import parted
from tasks.networks.trunks import build_trunk
from tasks.networks.weights import find_weights
from tasks.stages import features, pictures
from tasks.stages import weights as pretrained
from tasks.storage.artifacts import Artifact, Store
from tasks.storage.home import open_home
from tasks.subjects import Subject
from tests.tasks.given import given

SIDE = 32
COLOURS = {"Red": (200, 0, 0), "Blue": (0, 0, 200)}


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Runs jobs in this process; the slots that were taken."""
    taken: list[str] = []

    def run(command: list[str], slot: Slot, *, log: Path, cwd: Path, poll: Any, **_: Any) -> None:
        taken.append(slot.name)
        with log.open("a") as file:
            monkeypatch.setattr("sys.stderr", file)
            code = worker.main(command[5:])
        if code:
            raise ChildFailedError(code, log.read_text().strip(), log)

    monkeypatch.setattr(slot_job, "run_in_slot", run)
    return taken


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Four photos a class, one of them damaged, and a text file, for `photo_folders`."""
    root = tmp_path / "photos"
    for name, colour in COLOURS.items():
        (root / name).mkdir(parents=True)
        for number in range(4):
            Image.new("RGB", (60, 40), colour).save(root / name / f"{number}.png")
    (root / "Red" / "2.png").write_bytes(b"no photo")
    (root / "Red" / "notes.txt").touch()
    return root


@pytest.fixture
def of_photos(photos: Path, known) -> dict[str, Any]:
    raw = raw_files("photo_folders", "train", str(photos), partial=False, known=known).digests
    return {
        "label": "p",
        "reader": "photo_folders",
        "split": "train",
        "root": str(photos),
        "raw": raw,
        "partial": False,
        "side": SIDE,
        "max_broken": 0.2,
    }


def identity(inputs: dict[str, Any], **changes: Any) -> str:
    return pictures.describe(given(pictures.PicturesInputs, inputs | changes)).identity


@pytest.mark.parametrize(
    "change",
    [{"reader": "bu101"}, {"split": "test"}, {"raw": {FILES: "0" * 64}}, {"side": 64}],
)
def test_files_size_and_reader_decide(of_photos: dict[str, Any], change: dict[str, Any]) -> None:
    assert identity(of_photos, **change) != identity(of_photos)


def test_label_folder_and_what_is_borne_do_not_decide(of_photos: dict[str, Any]) -> None:
    elsewhere = {"label": "q", "root": "/elsewhere", "partial": True, "max_broken": 0.5}
    assert identity(of_photos, **elsewhere) == identity(of_photos)


def test_of_clips_the_frames_decide(of_photos: dict[str, Any], artifact_of: Any) -> None:
    of_clips = of_photos | {"frames": artifact_of("frames")}
    before = identity(of_clips)
    assert identity(of_clips, raw={}, max_broken=1.0) == before
    assert identity(of_clips, frames=artifact_of("others")) != before


def performed(runtime: Runtime, inputs: dict[str, Any]) -> Artifact:
    with use(runtime):
        artifact: Artifact = pictures.STAGE.perform(given(pictures.PicturesInputs, inputs))
    return artifact


@pytest.mark.usefixtures("in_process")
def test_photos_become_squares_and_broken_ones_are_named(
    runtime: Runtime, of_photos: dict[str, Any]
) -> None:
    artifact = performed(runtime, of_photos)
    found = load_prepared(runtime.home / artifact.folder)
    assert found.images.shape == (7, SIDE, SIDE, 3)
    assert found.classes == ("Blue", "Red")
    assert (found.images[found.labels == 0] == torch.tensor(COLOURS["Blue"])).all()
    assert (found.images[found.labels == 1] == torch.tensor(COLOURS["Red"])).all()
    assert found.samples is not None
    assert found.samples.names == found.samples.clips == found.samples.groups
    assert found.samples.names[4:] == ("Red/0.png", "Red/1.png", "Red/3.png")
    summary = artifact.summary
    assert (summary["samples"], summary["broken"]) == (7, 1)
    assert sum(summary["skipped"].values()) == 1
    assert (summary["dataset"], summary["split"]) == ("photo_folders", "train")
    broken = json.loads((runtime.home / artifact.folder / "broken.json").read_text())
    assert list(broken) == ["Red/2.png"]
    assert "cannot be decoded" in broken["Red/2.png"]


def test_it_does_not_matter_how_the_home_is_named(
    runtime: Runtime, of_photos: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "link").symlink_to(runtime.home)
    store = Store(open_home(tmp_path / "inner" / ".." / "link"))
    artifact = performed(dataclasses.replace(runtime, store=store), of_photos)
    found = load_prepared(runtime.home / artifact.folder)
    shown = torch.tensor([*COLOURS.values()])[1 - found.labels]
    assert torch.equal(found.images, shown[:, None, None].expand(-1, SIDE, SIDE, -1))


@pytest.mark.usefixtures("in_process")
def test_too_many_broken_photos_fail_the_stage(runtime: Runtime, of_photos: dict[str, Any]) -> None:
    with pytest.raises(Exception, match=r"at most 10% broken photos, found 1 of 8.*Red/2\.png"):
        performed(runtime, of_photos | {"max_broken": 0.1})


@pytest.mark.usefixtures("in_process")
def test_photos_that_changed_since_the_run_began_are_refused(
    runtime: Runtime, of_photos: dict[str, Any], photos: Path
) -> None:
    (photos / "Blue" / "0.png").write_bytes((photos / "Red" / "0.png").read_bytes())
    with pytest.raises(Exception, match="expected photo_folders train to stay unchanged"):
        performed(runtime, of_photos)


@pytest.mark.parametrize(("broken", "total"), [(0, 9), (1, 10), (2, 20)])
def test_a_share_up_to_the_limit_is_borne(broken: int, total: int) -> None:
    check_share({str(i): "why" for i in range(broken)}, total, 0.1, "clips")


@pytest.mark.parametrize(("broken", "total", "most"), [(2, 19, 0.1), (1, 9, 0.0), (3, 3, 1.0)])
def test_a_larger_share_or_all_of_them_is_not(broken: int, total: int, most: float) -> None:
    with pytest.raises(
        DataError, match=rf"found {broken} of {total}, the first of which are 0: why"
    ):
        check_share({str(i): "why" for i in range(broken)}, total, most, "clips")


# Clips.


@pytest.fixture
def frames(
    tmp_path: Path, runtime: Runtime, film: Callable[..., Path], artifact_of: Any
) -> Artifact:
    """Two frames each of three clips in two recordings, as the stage before leaves them."""
    clips = []
    for name, group, shade in (("b1", "g1", 20), ("a1", "g2", 60), ("a2", "g2", 100)):
        film(tmp_path / "clips" / f"{name}.avi", 8, shade)
        clips.append(Clip(path=f"{name}.avi", label=name[0], group=group, split="test"))
    extract_chunk(tmp_path / "clips", clips, tmp_path / "chunk", Sampling(frames=2))
    merge([tmp_path / "chunk"], runtime.home / "frames")
    about = {"classes": ["a", "b"], "origin": "three clips", "official": False}
    summary = {"about": about, "skipped": {"why": 4}, "broken": 2, "content": "c" * 64}
    return artifact_of("frames", summary)


@pytest.fixture
def of_clips(frames: Artifact) -> dict[str, Any]:
    return {
        "label": "c",
        "reader": "ucf101",
        "split": "test",
        "root": "/data",
        "raw": {},
        "partial": False,
        "side": 16,
        "max_broken": 0.0,
        "frames": frames,
    }


@pytest.mark.usefixtures("in_process")
def test_frames_know_their_clip_recording_and_place(
    runtime: Runtime, of_clips: dict[str, Any]
) -> None:
    artifact = performed(runtime, of_clips)
    found = open_sealed_test(runtime.home / artifact.folder)
    assert found.samples is not None
    assert found.samples.names == (
        *("b1.avi#2", "b1.avi#6", "a1.avi#2", "a1.avi#6", "a2.avi#2", "a2.avi#6"),
    )
    assert found.samples.clips == tuple(name.partition("#")[0] for name in found.samples.names)
    assert found.samples.groups == ("g1", "g1", "g2", "g2", "g2", "g2")
    assert found.labels.tolist() == [1, 1, 0, 0, 0, 0]
    # Two levels lighter a frame, from the clip's own shade.
    shades = found.images.double().mean((1, 2, 3)).numpy()
    np.testing.assert_allclose(shades, [24, 32, 64, 72, 104, 112], atol=3)
    summary = artifact.summary
    assert (summary["samples"], summary["clips"]) == (6, 3)
    assert (summary["skipped"], summary["broken"]) == ({"why": 4}, 2)
    assert summary["origin"] == "three clips"


@pytest.mark.usefixtures("in_process")
def test_the_test_split_is_sealed(runtime: Runtime, of_clips: dict[str, Any]) -> None:
    artifact = performed(runtime, of_clips)
    with pytest.raises(DataError, match="sealed"):
        load_prepared(runtime.home / artifact.folder)


# Frozen parts.

LITE = {
    "trunk": "efficientnet_lite0",
    "settings": {},
    "normalisation": "half",
    "frozen": "block2",
    "weights": "w" * 64,
    "code": None,
}
NETWORK = given(NetworkDescription, LITE)
WEIGHTS = find_weights("efficientnet_lite0", "imagenet")


def stored_weights() -> Artifact:
    subject, digest = Subject(name="w"), sha256_file(WEIGHTS)
    return pretrained.STAGE.perform(
        pretrained.WeightsInputs(subject=subject, path=WEIGHTS, digest=digest)
    )


@pytest.mark.usefixtures("in_process")
def test_frozen_parts_are_computed_once_and_the_rest_is_the_network(
    runtime: Runtime, of_photos: dict[str, Any]
) -> None:
    photos = performed(runtime, of_photos)
    with use(runtime):
        inputs = {"label": "f", "data": photos, "network": LITE, "weights": stored_weights()}
        artifact: Artifact = features.STAGE.perform(given(features.FeaturesInputs, inputs))
    images = load_prepared(runtime.home / photos.folder)
    found = load_prepared(runtime.home / artifact.folder)

    trunk = build_trunk(LITE, (3, SIDE, SIDE), WEIGHTS).eval()
    first, rest = parted(trunk, "block2")
    with torch.no_grad():
        maps = first(normalise(images.images, "half")).permute(0, 2, 3, 1)
    torch.testing.assert_close(found.images, maps.half(), rtol=2e-3, atol=2e-3)
    assert found.images.shape == (7, 8, 8, 24)
    assert found.samples == images.samples
    assert found.labels.tolist() == images.labels.tolist()
    assert artifact.summary["samples"] == 7
    assert artifact.summary["shape"] == [8, 8, 24]

    job = NetworkInputs(network=NETWORK, weights=WEIGHTS, heads={"target": ("a", "b")}, seed=1)
    network = build_network(job, found.images, torch.device("cpu"))
    assert network.normalisation == "none"
    whole = Network(trunk, {"target": 2}, (3, SIDE, SIDE), "half")
    whole.heads.load_state_dict(network.heads.state_dict())
    expected = predict(whole, images.images)
    torch.testing.assert_close(predict(network, found.images), expected, rtol=0.02, atol=0.02)
    assert [name for name, _ in network.trunk.named_children()] == [
        name for name, _ in rest.named_children()
    ]


def test_photos_are_decoded_on_a_core_and_a_gpu_makes_their_features(
    runtime: Runtime, of_photos: dict[str, Any], in_process: list[str]
) -> None:
    gpu, core = SlotPool([Slot("cuda:0")]), SlotPool([Slot("cpu:0")])
    both = dataclasses.replace(
        runtime,
        train=SlotRunner(runtime.home, gpu),
        cores=SlotRunner(runtime.home, core),
    )
    photos = performed(both, of_photos)
    with use(both):
        inputs = {"label": "f", "data": photos, "network": LITE, "weights": stored_weights()}
        features.STAGE.perform(given(features.FeaturesInputs, inputs))
    assert in_process == ["cpu:0", "cuda:0"]


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_maps_that_half_precision_cannot_hold_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: float
) -> None:
    maps = torch.zeros(2, 4, 4, 3, dtype=torch.float16)
    maps[1, 2, 0, 1] = value
    monkeypatch.setattr("tasks.jobs.features.frozen_maps", lambda *_: iter(maps.split(1)))
    images = torch.zeros(2, SIDE, SIDE, 3, dtype=torch.uint8)
    with pytest.raises(StageError, match=r"expected finite maps of at most 65,504 after block2"):
        stored_maps(NETWORK, None, images, torch.device("cpu"), tmp_path / "maps.npy")


def test_maps_come_in_order_whatever_the_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    images = torch.randint(0, 256, (5, SIDE, SIDE, 3), dtype=torch.uint8)
    whole = torch.cat([*frozen_maps(NETWORK, WEIGHTS, images, torch.device("cpu"))])
    monkeypatch.setattr("tasks.jobs.features.BATCH", 2)
    parts = [*frozen_maps(NETWORK, WEIGHTS, images, torch.device("cpu"))]
    assert [len(part) for part in parts] == [2, 2, 1]
    torch.testing.assert_close(torch.cat(parts), whole, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("change", [{"frozen": "block3"}, {"weights": "x"}, {"trunk": "other"}])
def test_images_trunk_and_frozen_part_decide(artifact_of: Any, change: dict[str, Any]) -> None:
    def identity(network: dict[str, Any], name: str = "a", label: str = "l", **words: Any) -> str:
        inputs = {"label": label, "data": artifact_of(name), "network": network, **words}
        return features.describe(given(features.FeaturesInputs, inputs)).identity

    assert identity(LITE | change) != identity(LITE)
    assert identity(LITE, name="b") != identity(LITE)
    assert identity(LITE, label="m", weights=artifact_of("w")) == identity(LITE)
