"""Frames of some chunks of clips, as they are extracted inside a slot process."""

from pathlib import Path
from typing import Any

from data.frames.chunks import Clip, extract_chunk
from data.frames.decode import Sampling

PROGRESS = "clips.txt"


def run(job: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Extract chunk after chunk; each is complete when it is left."""
    done, sampling = 0, Sampling(**job["sampling"])
    for chunk in job["chunks"]:
        clips = [Clip(**clip) for clip in chunk["clips"]]
        before = done

        def tell(count: int, before: int = before) -> None:
            (folder / PROGRESS).write_text(str(before + count), encoding="ascii")

        extract_chunk(Path(job["root"]), clips, Path(chunk["folder"]), sampling, tell)
        done += len(clips)
    return {}
