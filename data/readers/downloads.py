"""Downloads that never leave a partial file or replace an existing one."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from data.errors import DataError, one_line


def fetch_into(
    folder: Path, names: Sequence[str], fetch: Callable[[Path], Path], title: str
) -> None:
    """Fetch files into a temporary folder on the same disk, then rename them into `folder`.

    Args:
        folder: destination folder, created if needed.
        names: names of the files to keep.
        fetch: downloads into the given folder and checks the files; returns their folder.
        title: name of the data set, for errors.

    Raises:
        DataError: if fetching fails for any reason (no network, wrong checksum, full disk).
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".download-", dir=folder) as temporary:
            fetched = fetch(Path(temporary))
            for name in names:
                (fetched / name).rename(folder / name)
    # torchvision raises RuntimeError for a wrong checksum; URLError and full disks are OSErrors.
    except (OSError, RuntimeError, EOFError, ValueError) as error:
        raise DataError(
            f"Expected to download {title} into {folder}, found a failure ({one_line(error)}): "
            "check the network and the disk, or put the files there by hand."
        ) from error
