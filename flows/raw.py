"""Where an experiment's raw data lie, and what they are, before anything runs."""

from pathlib import Path

from data.catalog import find_reader
from data.errors import DataError
from data.fingerprint import sha256_file
from flows.handles import RawData
from flows.settings import Experiment
from tasks.prepare import raw_digests
from tasks.trunks import code_digest
from tasks.weights import fetch_weights, find_weights


def find_raw(experiment: Experiment, root: Path | None) -> RawData:
    """Check that all raw files and weights exist and take their digests.

    Args:
        experiment: names the data sets.
        root: folder of the real data; None for the embedded data.

    Raises:
        DataError: if a file is missing or cannot be read.
        StageError: if the trunk or its weights are.
    """
    folder = str(root.expanduser().absolute()) if root is not None else None
    digests = {}
    for name, dataset in experiment.datasets.items():
        reader = dataset.reader_on(real=root is not None)
        splits = ["train", "test"] if name == experiment.target.dataset else ["train"]
        for split in splits:
            digests[name, split] = _digests(reader, split, folder)
    network = experiment.network
    weights = find_weights(network.trunk, network.weights)
    return RawData(
        folder,
        digests,
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
        reader = find_reader(dataset.reader)
        if not reader.embedded:
            reader.download(root)
    fetch_weights(experiment.network.trunk, experiment.network.weights)


def _digests(reader: str, split: str, folder: str | None) -> dict[str, str]:
    try:
        return raw_digests(reader, split, folder)
    except OSError as error:
        raise DataError(
            f"Expected to read {error.filename or folder}, found: {error.strerror}: "
            "check the file and its permissions."
        ) from error
