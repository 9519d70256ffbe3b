"""Finds the raw data of an experiment and checks them before anything runs."""

from collections.abc import Collection, Mapping
from pathlib import Path

from data.catalog import find_reader
from data.digest_cache import KnownDigests
from data.errors import DataError
from data.fingerprint import sha256_file
from data.paths import expanded
from data.raw_files import RawFiles, raw_files
from flows.experiment.raw_data import RawData
from flows.experiment.settings import Experiment
from gradmix.methods import METHODS
from tasks.networks.trunks import check_trunk, code_digest
from tasks.networks.weights import fetch_weights, find_weights


def find_raw(experiment: Experiment, root: Path | None, known: KnownDigests) -> RawData:
    """Check that all raw files and weights exist and take their digests.

    Args:
        experiment: names the data sets.
        root: folder of the real data; None for the embedded data.
        known: digests that were taken before.

    Raises:
        DataError: if a file is missing or cannot be read.
        StageError: if the trunk or its weights are.
    """
    folder = expanded(root).absolute() if root is not None else None
    roots = {
        name: None if folder is None else str(folder / dataset.folder)
        for name, dataset in experiment.datasets.items()
    }
    found = {
        (name, split): _files(experiment, name, split, root, known)
        for name, root in roots.items()
        for split in (["train", "test"] if name == experiment.target.dataset else ["train"])
    }
    network = experiment.network
    weights = find_weights(network.trunk, network.weights)
    needs_map = any(METHODS[row.method].method.needs_map for row in experiment.baselines)
    check_trunk(network.description, experiment.shape, weights, needs_map=needs_map)
    return RawData(
        None if folder is None else str(folder),
        {key: files.digests for key, files in found.items()},
        roots=roots,
        classes={name: found[name, "train"].classes for name in experiment.datasets},
        shown={key: files.shown for key, files in found.items()},
        weights=str(weights) if weights else None,
        weights_digest=sha256_file(weights) if weights else None,
        code_digest=code_digest(network.trunk),
    )


def _files(
    experiment: Experiment, name: str, split: str, root: str | None, known: KnownDigests
) -> RawFiles:
    """The raw files of one split; an error names it."""
    reader = experiment.datasets[name].reader_on(real=root is not None)
    try:
        return raw_files(reader, split, root, partial=experiment.partial, known=known)
    except DataError as error:
        raise DataError(f"{name} {split}: {error}") from error


def check_apart(experiment: Experiment, raw: RawData) -> None:
    """Refuse photos and clips that would show the test split, or labels of U, to a training.

    Args:
        experiment: with every class named.
        raw: what was found.

    Raises:
        DataError: if a file of the target is in both its splits, or a source has a file of its
            test split, or, in its own classes, one of its training split.
    """
    target = experiment.target
    train, test = (raw.shown.get((target.dataset, split), {}) for split in ("train", "test"))
    tested, labelled = _by_digest(test), _by_digest(train, target.classes)
    _refuse_shared(
        _by_digest(train), tested, f"the training and the test split of {target.dataset}"
    )
    for source in experiment.sources:
        used = _by_digest(raw.shown.get((source.dataset, "train"), {}), source.classes)
        _refuse_shared(used, tested, f"{source.name} and the target's test split")
        _refuse_shared(used, labelled, f"{source.name} and the target's training split")


def _by_digest(
    shown: Mapping[tuple[str, str], Path], classes: Collection[str] | None = None
) -> dict[str, Path]:
    """Paths of files by digest, of some classes or all of them."""
    return {
        digest: path for (digest, name), path in shown.items() if classes is None or name in classes
    }


def _refuse_shared(first: Mapping[str, Path], second: Mapping[str, Path], where: str) -> None:
    shared = min(first.keys() & second.keys(), default=None)
    if shared is not None:
        paths = dict.fromkeys(str(files[shared]) for files in (first, second))
        raise DataError(
            f"Expected no file in both {where}, found {' and '.join(paths)} with the same bytes: "
            "remove it from one of them."
        )


def download_raw(experiment: Experiment, root: Path | None) -> None:
    """Fetch weights, and the official files of every data set if there is a folder for them.

    Raises:
        DataError: if a download fails.
    """
    for dataset in experiment.datasets.values():
        if root is not None and dataset.media == "arrays":
            reader = find_reader(dataset.reader)
            if not reader.embedded:
                reader.download(root)
    fetch_weights(experiment.network.trunk, experiment.network.weights)
