"""Frames of some chunks of clips, as they are extracted inside a slot process."""

from dataclasses import dataclass
from pathlib import Path

from data.frames.chunks import Clip, extract_chunk
from data.frames.decode import Sampling
from tasks.outcome import Outcome

PROGRESS = "clips.txt"


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Some clips, and the folder that gets their frames."""

    folder: Path
    clips: tuple[Clip, ...]


@dataclass(frozen=True, kw_only=True)
class ExtractJob:
    """The chunks of one process.

    Attributes:
        root: folder that the clips' paths start from.
        sampling: which frames.
        chunks: in order.
    """

    root: Path
    sampling: Sampling
    chunks: tuple[Chunk, ...]


def run(job: ExtractJob, folder: Path) -> Outcome:
    """Extract chunk after chunk; each is complete when it is left."""
    done = 0
    for chunk in job.chunks:
        before = done

        def tell(count: int, before: int = before) -> None:
            (folder / PROGRESS).write_text(str(before + count), encoding="ascii")

        extract_chunk(job.root, chunk.clips, chunk.folder, job.sampling, tell)
        done += len(chunk.clips)
    return Outcome()
