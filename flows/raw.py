"""Where an experiment's raw data lie, and what they are, before anything runs."""

from pathlib import Path

from data.catalog import find_reader
from flows.pipeline import RawData
from flows.settings import Experiment
from tasks.prepare import raw_digests


def find_raw(experiment: Experiment, root: Path | None) -> RawData:
    """Check that all raw files exist and take their digests.

    Args:
        experiment: names the data sets.
        root: folder of the real data; None for the embedded data.

    Raises:
        DataError: if a file is missing.
    """
    folder = str(root.expanduser().absolute()) if root else None
    digests = {}
    for name, dataset in experiment.datasets.items():
        reader = dataset.reader_on(real=root is not None)
        splits = ["train", "test"] if name == experiment.target.dataset else ["train"]
        for split in splits:
            digests[name, split] = raw_digests(reader, split, folder)
    return RawData(folder, digests)


def download_raw(experiment: Experiment, root: Path) -> None:
    """Fetch the official files of every data set, with their checksums.

    Raises:
        DataError: if a download fails.
    """
    for dataset in experiment.datasets.values():
        find_reader(dataset.reader).download(root)
