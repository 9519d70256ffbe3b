"""The data sets that can be named in an experiment. A new one is a reader and a line here."""

from collections.abc import Mapping
from types import MappingProxyType

from data.errors import DataError
from data.handwritten import HandwrittenReader
from data.mnist import MnistReader
from data.reader import RawImages, Reader
from data.street import StreetReader
from data.svhn import SvhnReader

__all__ = ["READERS", "RawImages", "Reader", "find_reader"]

READERS: Mapping[str, Reader] = MappingProxyType(
    {
        "mnist": MnistReader(),
        "svhn": SvhnReader(),
        "handwritten": HandwrittenReader(),
        "street": StreetReader(),
    }
)


def find_reader(name: str) -> Reader:
    """The reader of that name.

    Raises:
        DataError: if there is none.
    """
    if name not in READERS:
        raise DataError(f"Expected a data set, one of {', '.join(READERS)}, found '{name}'.")
    return READERS[name]
