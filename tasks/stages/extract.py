"""Stage: frames of the clips of a split, packed, with a table of what each of them is."""

from collections.abc import Sequence
from typing import Any

from data.broken_files import check_share
from data.catalog import find_file_reader
from data.fingerprint import digest_json, sha256_file
from data.frames.store import merge
from data.raw_files import about, listed
from tasks.engine.mlflow_run import tracked_run
from tasks.engine.run_job import run_job
from tasks.engine.stage import Outcome, Stage, Workplace
from tasks.errors import StageError
from tasks.events import Event
from tasks.execution.processes import ChildFailedError
from tasks.extraction.parallel import clips_of, extract_in_slots
from tasks.stages.raw_inputs import log_raw, made_with
from tasks.storage.artifacts import Request


def describe(
    label: str,
    reader: str,
    split: str,
    root: str | None,
    raw: dict[str, str],
    partial: bool,
    sampling: dict[str, int],
    max_broken: float,
) -> Request:
    """The clips' bytes, which frames, and the reader's version decide.

    Args:
        label: for people.
        reader: name of the data set.
        split: "train" or "test".
        root: folder of the real data; where they lie does not decide.
        raw: digest of the clips; none if they are embedded.
        partial: go on with what is there where clips are missing.
        sampling: `frames` or `every`.
        max_broken: share of the clips that may be broken; a lower one is found when they are made.
    """
    del root, partial, max_broken
    found = find_file_reader(reader)
    config: dict[str, Any] = {
        "reader": reader,
        "split": split,
        "reader_version": found.version,
        "sampling": sampling,
        "made_with": made_with("av", "pillow", *(["numpy"] if found.embedded else [])),
    }
    return Request("extract", 1, config, raw, 0, label)


def execute(
    place: Workplace,
    label: str,
    reader: str,
    split: str,
    root: str | None,
    raw: dict[str, str],
    partial: bool,
    sampling: dict[str, int],
    max_broken: float,
) -> Outcome:
    """Extract on all cores, clip by clip; then put everything into one store."""
    with tracked_run(place) as run_id:
        log_raw(place, run_id, reader, root, raw)
        if find_file_reader(reader).embedded:
            run_job(place, "draw", {"reader": reader, "split": split}, decodes=True)
        drawn, home = place.folder / "drawn", place.runtime.home
        listing = listed(reader, split, root, raw, partial=partial, home=home, drawn=drawn)
        clips = clips_of(listing, split)

        def tell(done: int, total: int, slots: Sequence[str]) -> None:
            where = ", ".join(slots)
            news = Event(label, "extract", "running", step=done, steps=total, slot=where)
            place.runtime.listen(news)

        try:
            chunks = extract_in_slots(
                listing.root, clips, sampling, place.folder, place.runtime.decode.slots, tell
            )
        except ChildFailedError as error:
            raise StageError(f"{label}: {error}") from error
        merged = merge(chunks, place.output)
        broken = {entry["clip"]: entry["reason"] for entry in merged.skipped}
        check_share(broken, merged.clips, max_broken, "clips")
        files = {path.name: sha256_file(path) for path in sorted(place.output.iterdir())}
        content = digest_json(files)
        place.runtime.tracker.log_dataset(
            run_id, f"{reader}/{split} frames", content, place.destination, "output"
        )
    return Outcome(
        {
            "content": content,
            "about": about(listing),
            "clips": merged.clips,
            "frames": merged.frames,
            "skipped": dict(listing.skipped),
            "broken": len(broken),
        },
        {"run_id": run_id},
    )


STAGE = Stage("extract", describe, execute)
