"""The flow `extract`: `gradmix extract` as a deployment."""

from collections.abc import Sequence
from pathlib import Path

from prefect import flow
from prefect.logging import get_run_logger

from data.frames.sampling import USUAL_FRAMES, Sampling
from data.frames.store import MANIFEST
from tasks.extraction.folder import extract as extract_folder


@flow(name="extract", persist_result=False)
def extract(
    videos: str,
    out: str,
    frames: int | None = None,
    every: int | None = None,
    max_broken: float = 0.05,
) -> str:
    """Extract frames of a clip or of a folder of clips; finished work is reused.

    Args:
        videos: absolute path on the driver's host.
        out: absolute path of the folder for the frames.
        frames: evenly spaced frames per clip; 10 unless `every`.
        every: every n-th frame, instead of `frames`.
        max_broken: maximum share of broken clips.

    Returns:
        Path of the table of frames.

    Raises:
        DataError: if there is no clip, too many are broken, or the folder holds foreign files.
        HomeError: if another process is using the folder.
        StageError: if a process fails.
    """
    usual = USUAL_FRAMES if every is None else None
    sampling = Sampling(frames=usual if frames is None else frames, every=every)
    log = get_run_logger()

    def report(done: int, total: int, slots: Sequence[str]) -> None:
        del slots
        log.info("%d of %d clips", done, total)

    folder = Path(out)
    found = extract_folder(Path(videos), folder, sampling, max_broken, report)
    log.info("%d clips, %d frames", found.clips - len(found.skipped), found.frames)
    for reason, count in found.ignored.items():
        log.info("ignored: %d %s", count, reason)
    for entry in found.skipped:
        log.warning("left out: %s: %s", entry["clip"], entry["reason"])
    return str(folder / MANIFEST)
