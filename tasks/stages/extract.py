"""Stage: extract frames of a split's clips, packed, with a table that describes each."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.broken_files import check_share
from data.catalog import find_file_reader
from data.fingerprint import digest_json, sha256_file
from data.frames.sampling import Sampling
from data.listing import Listing
from data.raw_files import about, listed
from tasks.codec import encode
from tasks.engine.mlflow_run import tracked_run
from tasks.engine.run_job import run_job
from tasks.engine.stage import Stage, Workplace
from tasks.errors import StageError
from tasks.events import Event
from tasks.execution.processes import ChildFailedError
from tasks.jobs.inputs.draw import DrawJob
from tasks.outcome import Outcome
from tasks.stages.raw_inputs import MediaInputs, log_raw, made_with
from tasks.storage.artifacts import Request


@dataclass(frozen=True, kw_only=True)
class ExtractInputs(MediaInputs):
    """Clips, and which of their frames to extract."""

    sampling: Sampling


def describe(inputs: ExtractInputs) -> Request:
    """The identity depends on the clips' bytes, the sampling, and the reader's version."""
    found = find_file_reader(inputs.reader)
    asked = {name: value for name, value in vars(inputs.sampling).items() if value is not None}
    config: dict[str, Any] = {
        "reader": inputs.reader,
        "split": inputs.split,
        "reader_version": found.version,
        "sampling": asked,
        "made_with": made_with("av", "pillow", *(["numpy"] if found.embedded else [])),
    }
    return Request("extract", 1, config, inputs.raw, 0, inputs.subject)


def execute(place: Workplace, inputs: ExtractInputs) -> Outcome:
    """Extract clips on all cores, then merge them into one store."""
    from data.frames.store import merge  # noqa: PLC0415 - loads PyAV and PyArrow

    reader, split = inputs.reader, inputs.split
    with tracked_run(place) as run_id:
        log_raw(place, run_id, inputs)
        if find_file_reader(reader).embedded:
            run_job(place, "draw", DrawJob(reader=reader, split=split), on_cores=True)
        listing = listed(
            reader,
            split,
            inputs.root,
            inputs.raw,
            partial=inputs.partial,
            home=place.runtime.home,
            drawn=place.folder / "drawn",
            unlabelled=inputs.unlabelled,
        )
        merged = merge(_extracted(place, inputs, listing), place.output)
        broken = {entry["clip"]: entry["reason"] for entry in merged.skipped}
        check_share(broken, merged.clips, inputs.max_broken, "clips")
        files = {path.name: sha256_file(path) for path in sorted(place.output.iterdir())}
        content = digest_json(files)
        place.runtime.tracker.log_dataset(
            run_id, f"{reader}/{split} frames", content, place.destination, "output"
        )
    return Outcome(
        {
            "content": content,
            "about": encode(about(listing)),
            "clips": merged.clips,
            "frames": merged.frames,
            "skipped": dict(listing.skipped),
            "broken": len(broken),
        },
        {"run_id": run_id},
    )


def _extracted(place: Workplace, inputs: ExtractInputs, listing: Listing) -> list[Path]:
    """Extract all chunks; returns their folders in order."""
    from tasks.extraction.parallel import (  # noqa: PLC0415 - loads PyAV
        clips_of,
        extract_in_slots,
    )

    def report(done: int, total: int, slots: Sequence[str]) -> None:
        where, subject = ", ".join(slots), inputs.subject
        news = Event(subject, "extract", "running", step=done, steps=total, slot=where)
        place.runtime.listen(news)

    clips, slots = clips_of(listing, inputs.split), place.runtime.cores.slots
    try:
        return extract_in_slots(listing.root, clips, inputs.sampling, place.folder, slots, report)
    except ChildFailedError as error:
        raise StageError(f"{place.request.label}: {error}") from error


STAGE = Stage("extract", ExtractInputs, describe, execute)
