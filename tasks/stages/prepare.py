"""Stage: prepare one split of a data set that is read as arrays."""

from typing import Any

from data.catalog import find_reader
from data.digest_cache import KnownDigests
from data.fingerprint import digest_json, sha256_file
from data.raw_files import check_unchanged, raw_files
from tasks.engine.mlflow_run import tracked_run
from tasks.engine.stage import Stage, Workplace
from tasks.outcome import Outcome
from tasks.stages.raw_inputs import RawInputs, log_raw, made_with
from tasks.storage.artifacts import Request

MAKERS = ("matplotlib", "numpy", "pillow", "scikit-learn")


def describe(inputs: RawInputs) -> Request:
    """The identity depends on the raw bytes and the reader's version."""
    found = find_reader(inputs.reader)
    config: dict[str, Any] = {
        "reader": inputs.reader,
        "split": inputs.split,
        "reader_version": found.version,
    }
    if found.embedded:
        # These libraries provide or draw the pixels.
        config["made_with"] = made_with(*MAKERS)
    return Request("prepare", 1, config, inputs.raw, 0, inputs.subject)


def execute(place: Workplace, inputs: RawInputs) -> Outcome:
    """Read, check and store the images; the test split is sealed."""
    from data.tables.prepared import save_prepared  # noqa: PLC0415 - loads pyarrow

    reader, split, root = inputs.reader, inputs.split, inputs.root
    found = find_reader(reader).read(root, split)
    now = raw_files(
        reader, split, None if root is None else str(root), partial=False, known=KnownDigests()
    )
    check_unchanged(reader, split, inputs.raw, now.digests)
    save_prepared(found, place.output, sealed=split == "test")
    content = digest_json({path.name: sha256_file(path) for path in sorted(place.output.iterdir())})
    with tracked_run(place) as run_id:
        log_raw(place, run_id, inputs)
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


STAGE = Stage("prepare", RawInputs, describe, execute)
