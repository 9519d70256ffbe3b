"""Downloads that never leave half a file, and never replace one that is there."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from data.errors import DataError, one_line


def fetch_into(
    folder: Path, names: Sequence[str], fetch: Callable[[Path], Path], title: str
) -> None:
    """Fetch files to a temporary folder on the same disk, then rename them into `folder`.

    Args:
        folder: where the files go; made if needed.
        names: the file names to keep of what was fetched.
        fetch: downloads and checks into the folder it is given; returns where the files lie.
        title: the data set's name for errors.

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
