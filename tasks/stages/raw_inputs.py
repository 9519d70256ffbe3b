"""What stages that read raw files note of them."""

from importlib.metadata import version

from data.fingerprint import digest_json
from data.raw_files import FILES
from tasks.engine.stage import Workplace


def made_with(*names: str) -> dict[str, str]:
    """Versions of the libraries that make the pixels."""
    return {name: version(name) for name in names}


def log_raw(
    place: Workplace, run_id: str, reader: str, root: str | None, raw: dict[str, str]
) -> None:
    """Name the raw files as what a run read; embedded data come from their reader."""
    embedded = {f"embedded {reader}": digest_json(dict(place.request.config))}
    for name, digest in (raw or embedded).items():
        source = f"{root or 'embedded'}/{name}"
        called = f"{reader} {name}" if name == FILES else name
        place.runtime.tracker.log_dataset(run_id, called, digest, source, "raw")
