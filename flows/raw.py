"""Where an experiment's raw data lie, and what they are, before anything runs."""

from pathlib import Path

from data.catalog import find_reader
from data.errors import DataError
from flows.handles import RawData
from flows.settings import Experiment
from tasks.prepare import raw_digests


def find_raw(experiment: Experiment, root: Path | None) -> RawData:
    """Check that all raw files exist and take their digests.

    Args:
        experiment: names the data sets.
        root: folder of the real data; None for the embedded data.

    Raises:
        DataError: if a file is missing or cannot be read.
    """
    folder = str(root.expanduser().absolute()) if root is not None else None
    digests = {}
    for name, dataset in experiment.datasets.items():
        reader = dataset.reader_on(real=root is not None)
        splits = ["train", "test"] if name == experiment.target.dataset else ["train"]
        for split in splits:
            digests[name, split] = _digests(reader, split, folder)
    return RawData(folder, digests)


def download_raw(experiment: Experiment, root: Path) -> None:
    """Fetch the official files of every data set, with their checksums.

    Raises:
        DataError: if a download fails.
    """
    for dataset in experiment.datasets.values():
        reader = find_reader(dataset.reader)
        if not reader.embedded:
            reader.download(root)


def _digests(reader: str, split: str, folder: str | None) -> dict[str, str]:
    try:
        return raw_digests(reader, split, folder)
    except OSError as error:
        raise DataError(
            f"Expected to read {error.filename or folder}, found: {error.strerror}: "
            "check the file and its permissions."
        ) from error
