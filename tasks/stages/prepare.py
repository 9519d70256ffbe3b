"""Stage: one split of a data set that is read as arrays."""

from pathlib import Path
from typing import Any

from data.catalog import find_reader
from data.digest_cache import KnownDigests
from data.fingerprint import digest_json, sha256_file
from data.raw_files import check_unchanged, raw_files
from data.tables.prepared import save_prepared
from tasks.engine.mlflow_run import tracked_run
from tasks.engine.stage import Outcome, Stage, Workplace
from tasks.stages.raw_inputs import log_raw, made_with
from tasks.storage.artifacts import Request

MAKERS = ("matplotlib", "numpy", "pillow", "scikit-learn")


def describe(label: str, reader: str, split: str, root: str | None, raw: dict[str, str]) -> Request:
    """Raw bytes and the reader's version decide; where the files lie does not."""
    del root
    found = find_reader(reader)
    config: dict[str, Any] = {"reader": reader, "split": split, "reader_version": found.version}
    if found.embedded:
        # These libraries ship or draw the pixels.
        config["made_with"] = made_with(*MAKERS)
    return Request("prepare", 1, config, raw, 0, label)


def execute(
    place: Workplace, label: str, reader: str, split: str, root: str | None, raw: dict[str, str]
) -> Outcome:
    """Read, check and store the images; the test split is sealed."""
    del label
    found = find_reader(reader).read(Path(root) if root else None, split)
    now = raw_files(reader, split, root, partial=False, known=KnownDigests())
    check_unchanged(reader, split, raw, now.digests)
    save_prepared(found, place.output, sealed=split == "test")
    content = digest_json({path.name: sha256_file(path) for path in sorted(place.output.iterdir())})
    with tracked_run(place) as run_id:
        log_raw(place, run_id, reader, root, raw)
        place.runtime.tracker.log_dataset(
            run_id, f"{reader}/{split}", content, place.destination, "output"
        )
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
