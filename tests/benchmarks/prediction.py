"""Time to label a photo and a clip with `gradmix predict`, and how much of it the network takes."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
from figures import Figure, several
from PIL import Image

from data.embedded.people_readers import FigureClipsReader
from tasks.execution.devices import usable_cores
from tasks.jobs.inputs.models import MODEL, NetworkInputs
from tasks.jobs.models import build_network
from tasks.models.description import Figures, ImageDescription, Lineage
from tasks.models.folder import ModelInputs, Trained, write_model_folder
from tasks.models.network import load_model_folder
from tasks.networks.description import NetworkDescription
from tasks.prediction.inputs import list_items
from tasks.prediction.labelling import label_files

BATCH, FRAMES = 32, 10
CONVNET = {"widths": [32, 32, 64, 64], "hidden": 128, "norm": "batch"}
CLASSES = tuple("abcdef")
LINEAGE = Lineage(
    gradmix="", git_commit="", git_dirty=False, reproduction="", row="", k=1, draw=0, run_id="",
    command="", data=(), made="2026-01-01T00:00:00+00:00",
)  # fmt: skip
NO_FIGURES = Figures(
    hyper_validation_accuracy=0.0, hyper_validation_loss=0.0, hyper_validation_n=1,
    test_accuracy=None, test_n=None, test_clip_accuracy=None, test_clips=None,
)  # fmt: skip


def model_folder(
    network: NetworkDescription, side: int, channels: int, folder: Path, media: str
) -> Path:
    """A model of one random network."""
    training = folder / "training"
    training.mkdir(parents=True)
    job = NetworkInputs(network=network, heads={"target": CLASSES}, seed=0)
    stored = torch.zeros(1, side, side, channels, dtype=torch.uint8)
    torch.save(build_network(job, stored, torch.device("cpu")).state_dict(), training / MODEL)
    frames = FRAMES if media == "clips" else None
    images = ImageDescription(side=side, channels=channels, media=media, frames=frames, every=None)
    trained = Trained(folder=training, method="joint", sources=("S1",), identity="", run_id="")
    write_model_folder(
        ModelInputs(
            classes=CLASSES, network=network, weights=None, images=images, members=(trained,),
            lineage=LINEAGE, figures=NO_FIGURES,
        ),
        folder / "model",
    )  # fmt: skip
    return folder / "model"


def write_photos(folder: Path, count: int, side: int) -> Path:
    """Photos of noise, as JPEG."""
    folder.mkdir()
    for number, pixels in enumerate(torch.randint(256, (count, side, side, 3)).byte()):
        Image.fromarray(pixels.numpy()).save(folder / f"{number:05}.jpg", quality=90)
    return folder


def labelled(name: str, model: Path, files: Path, passes: int) -> Iterator[Figure]:
    """Wall time of a file on all cores, and the share of the network in it."""
    torch.set_num_threads(usable_cores())
    loaded = load_model_folder(model)
    items, _ = list_items([str(files)], loaded.description.images.media)
    millis, shares = [], []
    for _ in range(passes):
        with tempfile.TemporaryDirectory() as out:
            done = label_files(loaded, items, Path(out) / "labels.csv", BATCH, lambda *_: None)
        millis.append(1000 * done.timing.whole_s / done.files)
        shares.append(100 * (1 - done.timing.network_s / done.timing.whole_s))
    cores = f"{usable_cores()} cores, {len(items)} files"
    yield several(f"prediction, {name}", millis, "ms", cores)
    yield several(f"prediction outside the network, {name}", shares, "%")


def figures(quick: bool) -> Iterator[Figure]:
    """Photos with a small and a large network, and clips."""
    torch.manual_seed(0)
    count, passes = (100, 3) if quick else (400, 5)
    small = NetworkDescription(trunk="convnet", settings=CONVNET, normalisation="image")
    resnet = NetworkDescription(trunk="resnet18", settings={}, normalisation="imagenet")
    with tempfile.TemporaryDirectory() as home:
        place = Path(home)
        photos = write_photos(place / "photos", count, 256)
        digits = model_folder(small, 32, 1, place / "small", "photos")
        yield from labelled("a photo of 256 x 256, digit network", digits, photos, passes)
        large = model_folder(resnet, 224, 3, place / "resnet", "photos")
        yield from labelled("a photo of 256 x 256, ResNet-18 at 224", large, photos, passes)
        FigureClipsReader().make(place / "clips", "test")
        clips = model_folder(resnet, 112, 3, place / "of-clips", "clips")
        yield from labelled("a clip, ResNet-18 at 112, 10 frames", clips, place / "clips", passes)
