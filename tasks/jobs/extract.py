"""Job: extract frames of some chunks of clips."""

from dataclasses import dataclass
from pathlib import Path

from data.frames.chunks import Clip, extract_chunk
from data.frames.sampling import Sampling
from tasks.outcome import Outcome

PROGRESS = "clips.txt"


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Some clips, and the folder for their frames."""

    folder: Path
    clips: tuple[Clip, ...]


@dataclass(frozen=True, kw_only=True)
class ExtractJob:
    """The chunks of one process.

    Attributes:
        root: folder that the clips' paths are relative to.
        sampling: which frames to extract.
        chunks: in order.
    """

    root: Path
    sampling: Sampling
    chunks: tuple[Chunk, ...]


def run(job: ExtractJob, folder: Path) -> Outcome:
    """Extract the chunks, completing each before the next."""
    done = 0
    for chunk in job.chunks:
        before = done

        def report(count: int, before: int = before) -> None:
            (folder / PROGRESS).write_text(str(before + count), encoding="ascii")

        extract_chunk(job.root, chunk.clips, chunk.folder, job.sampling, report)
        done += len(chunk.clips)
    return Outcome()
