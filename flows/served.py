"""Flows that a fleet serves besides `reproduce` and `cell`: what the commands do, for its UI."""

from collections.abc import Sequence
from pathlib import Path

from prefect import flow
from prefect.logging import get_run_logger

from data.frames.decode import USUAL_FRAMES, Sampling
from data.frames.store import MANIFEST
from flows.cli.reproduce import report_command
from tasks.extraction.folder import extract as extract_folder
from tasks.storage.home import home_named


@flow(name="extract", persist_result=False)
def extract(
    videos: str,
    out: str,
    frames: int | None = None,
    every: int | None = None,
    max_broken: float = 0.05,
) -> str:
    """Extract frames of a clip, or of a folder of clips; what is finished is not done again.

    Args:
        videos: absolute path on the driver's host.
        out: absolute path of the folder of the frames.
        frames: of every clip, evenly spaced; 10 unless `every`.
        every: the n-th frame and its multiples, in place of `frames`.
        max_broken: share of clips that may be broken.

    Returns:
        The table of the frames.

    Raises:
        DataError: if there is no clip, too many are broken, or the folder holds other things.
        HomeError: if another process works in the folder.
        StageError: if a process fails.
    """
    usual = USUAL_FRAMES if every is None else None
    sampling = Sampling(frames=usual if frames is None else frames, every=every)
    log = get_run_logger()

    def tell(done: int, total: int, slots: Sequence[str]) -> None:
        del slots
        log.info("%d of %d clips", done, total)

    folder = Path(out)
    found = extract_folder(Path(videos), folder, sampling, max_broken, tell)
    log.info("%d clips, %d frames", found.clips - len(found.skipped), found.frames)
    for reason, count in found.ignored.items():
        log.info("ignored: %d %s", count, reason)
    for entry in found.skipped:
        log.warning("left out: %s: %s", entry["clip"], entry["reason"])
    return str(folder / MANIFEST)


@flow(name="report", persist_result=False, log_prints=True)
def report(run: str, home: str | None = None) -> None:
    """Make the report of a finished reproduction again, from its record.

    Args:
        run: the reproduction's name, or the MLflow id of its run.
        home: folder of the reproduction; GRADMIX_HOME without it.

    Raises:
        HomeError: if there is no such reproduction.
    """
    report_command(run=run, home=str(home_named(home)))
