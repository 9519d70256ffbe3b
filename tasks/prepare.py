"""Stage: one split of a data set, read from raw files into resident arrays."""

from importlib.metadata import version
from pathlib import Path
from typing import Any

from data.catalog import find_reader
from data.errors import DataError
from data.fingerprint import digest_json, sha256_file
from data.prepared import save_prepared
from tasks.artifacts import Request
from tasks.stage import Outcome, Stage, Workplace
from tasks.tracked import tracked_run

MAKERS = ("matplotlib", "numpy", "pillow", "scikit-learn")


def raw_digests(reader: str, split: str, root: str | None) -> dict[str, str]:
    """SHA-256 of every raw file of a split, by name; empty for embedded data.

    Raises:
        DataError: if a file is missing.
    """
    files = find_reader(reader).files(Path(root) if root else None, split)
    return {path.name: sha256_file(path) for path in files}


def describe(label: str, reader: str, split: str, root: str | None, raw: dict[str, str]) -> Request:
    """Raw bytes and the reader's version decide; where the files lie does not."""
    del root
    found = find_reader(reader)
    config: dict[str, Any] = {"reader": reader, "split": split, "reader_version": found.version}
    if found.embedded:
        # These libraries ship or draw the pixels.
        config["made_with"] = {name: version(name) for name in MAKERS}
    return Request("prepare", 1, config, raw, 0, label)


def execute(
    place: Workplace, label: str, reader: str, split: str, root: str | None, raw: dict[str, str]
) -> Outcome:
    """Read, check and store the images; the test split is sealed."""
    del label
    found = find_reader(reader).read(Path(root) if root else None, split)
    if raw_digests(reader, split, root) != raw:
        raise DataError(
            f"expected {reader} {split} to stay as it was when the run began, found other files; "
            "leave them alone and start again."
        )
    save_prepared(found, place.output, sealed=split == "test")
    content = digest_json({path.name: sha256_file(path) for path in sorted(place.output.iterdir())})
    with tracked_run(place) as run_id:
        tracker = place.runtime.tracker
        # Embedded data have no files: the reader and its version are where they come from.
        files = raw or {f"embedded {reader}": digest_json(dict(place.request.config))}
        for name, digest in files.items():
            tracker.log_dataset(run_id, name, digest, f"{root or 'embedded'}/{name}", "raw")
        tracker.log_dataset(run_id, f"{reader}/{split}", content, place.destination, "output")
    return Outcome(
        {
            "content": content,
            "dataset": reader,
            "split": split,
            "origin": found.origin,
            "official": found.official,
            "samples": len(found.labels),
            "classes": list(found.classes),
            "per_class": [int((found.labels == c).sum()) for c in range(len(found.classes))],
        },
        {"run_id": run_id},
    )


STAGE = Stage("prepare", describe, execute)
