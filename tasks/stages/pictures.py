"""Stage: photos, or frames of clips, of a split, as squares of one size."""

from dataclasses import dataclass
from typing import Any, Generic

from data.catalog import find_file_reader
from data.fingerprint import digest_json, sha256_file
from data.raw_files import About
from tasks.codec import decode
from tasks.engine.mlflow_run import tracked_run
from tasks.engine.run_job import run_job
from tasks.engine.stage import A, Stage, Workplace
from tasks.jobs.inputs.pictures import PicturesJob
from tasks.outcome import Outcome
from tasks.stages.raw_inputs import MediaInputs, log_raw, made_with
from tasks.storage.artifacts import Request


@dataclass(frozen=True, kw_only=True)
class PicturesInputs(MediaInputs, Generic[A]):
    """Photos or frames, and the size to scale them to.

    Attributes:
        side: side of the squares in pixels.
        frames: frames of the clips; None if the files are photos.
    """

    side: int
    frames: A | None = None


def describe(inputs: PicturesInputs) -> Request:
    """The identity depends on the files' bytes or the frames, the size, and the reader."""
    found, frames = find_file_reader(inputs.reader), inputs.frames
    config: dict[str, Any] = {
        "reader": inputs.reader,
        "split": inputs.split,
        "side": inputs.side,
        "made_with": made_with("pillow", *(["numpy"] if found.embedded else [])),
    }
    if frames is not None:
        return Request("pictures", 1, config, {"frames": frames.digest}, 0, inputs.subject)
    config["reader_version"] = found.version
    return Request("pictures", 1, config, inputs.raw, 0, inputs.subject)


def execute(place: Workplace, inputs: PicturesInputs) -> Outcome:
    """Decode in a slot process; the test split is sealed."""
    reader, split, frames = inputs.reader, inputs.split, inputs.frames
    home, tracker = place.runtime.home, place.runtime.tracker
    job = PicturesJob(
        reader=reader,
        split=split,
        root=inputs.root,
        raw=inputs.raw,
        partial=inputs.partial,
        side=inputs.side,
        max_broken=inputs.max_broken,
        home=home,
        frames=home / frames.folder if frames else None,
        about=decode(About, frames.summary["about"]) if frames else None,
        unlabelled=inputs.unlabelled,
    )
    with tracked_run(place) as run_id:
        if frames:
            content = frames.summary["content"]
            name = f"{reader}/{split} frames"
            tracker.log_dataset(run_id, name, content, frames.folder, "decoding")
        else:
            log_raw(place, run_id, inputs)
        summary = dict(run_job(place, "pictures", job, on_cores=True).summary)
        files = {path.name: sha256_file(path) for path in sorted(place.output.iterdir())}
        content = digest_json(files)
        tracker.log_dataset(run_id, f"{reader}/{split}", content, place.destination, "output")
    if frames:
        summary |= {name: frames.summary[name] for name in ("skipped", "broken")}
    return Outcome(
        {**summary, "content": content, "dataset": reader, "split": split}, {"run_id": run_id}
    )


STAGE = Stage("pictures", PicturesInputs, describe, execute)
