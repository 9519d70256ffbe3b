"""The only access to a sealed test split; only the evaluation stage may import this module."""

from pathlib import Path

from data.tables.image_set import ImageSet, as_tensors
from data.tables.prepared import _read_folder


def open_sealed_test(folder: Path) -> ImageSet:
    """Load a sealed test split to evaluate a finished, selected model once.

    Raises:
        DataError: if the folder contains an open data set, lacks a file, or its files do not
            match.
    """
    return as_tensors(_read_folder(folder, sealed=True))
