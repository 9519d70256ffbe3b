"""Stage: photos, or frames of clips, of a split, as squares of one size."""

from typing import Any

from data.catalog import find_file_reader
from data.fingerprint import digest_json, sha256_file
from tasks.engine.mlflow_run import tracked_run
from tasks.engine.run_job import run_job
from tasks.engine.stage import Outcome, Stage, Workplace
from tasks.stages.raw_inputs import log_raw, made_with
from tasks.storage.artifacts import Artifact, Request


def describe(
    label: str,
    reader: str,
    split: str,
    root: str | None,
    raw: dict[str, str],
    partial: bool,
    side: int,
    max_broken: float,
    frames: Artifact | None = None,
) -> Request:
    """The files' bytes, or the frames, the size, and the reader's version decide.

    Args:
        label: for people.
        reader: name of the data set.
        split: "train" or "test"; the latter is sealed.
        root: folder of the real data; where they lie does not decide.
        raw: digest of the files; of the frames' clips if there are frames.
        partial: go on with what is there where files are missing.
        side: of the squares, pixels.
        max_broken: share of the photos that may be broken.
        frames: of the clips; None: the files are photos.
    """
    del root, partial, max_broken
    found = find_file_reader(reader)
    config: dict[str, Any] = {
        "reader": reader,
        "split": split,
        "side": side,
        "made_with": made_with("pillow", *(["numpy"] if found.embedded else [])),
    }
    if frames is not None:
        return Request("pictures", 1, config, {"frames": frames.digest}, 0, label)
    config["reader_version"] = found.version
    return Request("pictures", 1, config, raw, 0, label)


def execute(
    place: Workplace,
    label: str,
    reader: str,
    split: str,
    root: str | None,
    raw: dict[str, str],
    partial: bool,
    side: int,
    max_broken: float,
    frames: Artifact | None = None,
) -> Outcome:
    """Decode in a slot process; the test split is sealed."""
    del label
    home = place.runtime.home
    job = {
        "reader": reader,
        "split": split,
        "root": root,
        "raw": raw,
        "partial": partial,
        "side": side,
        "max_broken": max_broken,
        "home": str(home),
        "frames": str(home / frames.folder) if frames else None,
        "about": frames.summary["about"] if frames else None,
    }
    with tracked_run(place) as run_id:
        if frames:
            content = frames.summary["content"]
            place.runtime.tracker.log_dataset(
                run_id, f"{reader}/{split} frames", content, frames.folder, "decoding"
            )
        else:
            log_raw(place, run_id, reader, root, raw)
        summary = run_job(place, "pictures", job, decodes=True)["summary"]
        files = {path.name: sha256_file(path) for path in sorted(place.output.iterdir())}
        content = digest_json(files)
        place.runtime.tracker.log_dataset(
            run_id, f"{reader}/{split}", content, place.destination, "output"
        )
    if frames:
        summary |= {name: frames.summary[name] for name in ("skipped", "broken")}
    return Outcome(
        {**summary, "content": content, "dataset": reader, "split": split}, {"run_id": run_id}
    )


STAGE = Stage("pictures", describe, execute)
