"""Where an experiment's raw data lie, and what they are, before anything runs."""

from pathlib import Path

from data.catalog import find_reader
from data.fingerprint import sha256_file
from data.known_digests import KnownDigests
from flows.handles import RawData
from flows.settings import Experiment
from tasks.raw import raw_files
from tasks.trunks import code_digest
from tasks.weights import fetch_weights, find_weights


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
    folder = root.expanduser().absolute() if root is not None else None
    roots: dict[str, str | None] = {}
    digests, classes = {}, {}
    for name, dataset in experiment.datasets.items():
        place = None if folder is None else str(folder / dataset.folder)
        reader = dataset.reader_on(real=folder is not None)
        roots[name] = place
        for split in ["train", "test"] if name == experiment.target.dataset else ["train"]:
            digests[name, split], classes[name] = raw_files(
                reader, split, place, partial=experiment.partial, known=known
            )
    network = experiment.network
    weights = find_weights(network.trunk, network.weights)
    return RawData(
        None if folder is None else str(folder),
        digests,
        roots=roots,
        classes=classes,
        weights=str(weights) if weights else None,
        weights_digest=sha256_file(weights) if weights else None,
        code_digest=code_digest(network.trunk),
    )


def download_raw(experiment: Experiment, root: Path) -> None:
    """Fetch the official files of every data set, and weights, with their checksums.

    Raises:
        DataError: if a download fails.
    """
    for dataset in experiment.datasets.values():
        if dataset.media == "arrays":
            reader = find_reader(dataset.reader)
            if not reader.embedded:
                reader.download(root)
    fetch_weights(experiment.network.trunk, experiment.network.weights)
