"""Frames of any clips, outside an experiment, for `gradmix extract`."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from data.atomic import sweep, write_atomically
from data.broken_files import check_share
from data.counting import tallied
from data.errors import DataError
from data.fingerprint import digest_json
from data.frames.chunks import BLOB, Clip
from data.frames.sampling import Sampling
from data.frames.store import MANIFEST, SKIPPED, Summary, merge, open_frames
from data.names import normal
from data.readers.file_tree import Tree, has_suffix, not_zero, read_tree
from data.suffixes import CLIP_SUFFIXES
from tasks.errors import StageError
from tasks.execution.processes import ChildFailedError
from tasks.execution.slots import SlotPool
from tasks.extraction.parallel import OnClips, extract_in_slots
from tasks.storage.home import LOCK, exclusive

WORK, DONE = ".extraction", "extraction.json"
"""Names in the frames' folder: work in progress, and the record of a finished extraction."""
OURS = {BLOB, MANIFEST, SKIPPED, DONE, WORK, LOCK}


def find_clips(videos: Path) -> tuple[Path, list[Clip], dict[str, int]]:
    """Find the clips of a folder, at any depth, or a single clip.

    The class of a clip is the name of its folder; each clip counts as its own recording.

    Returns:
        The folder that the clips' paths are relative to, the clips, and the number of other files
        by kind.

    Raises:
        DataError: if there is no clip.
    """
    root = videos.absolute() if videos.is_dir() else videos.absolute().parent
    tree = read_tree(root) if videos.is_dir() else Tree((videos.name,), (), 0)
    clips = [
        Clip(path=path, label=normal(PurePosixPath(path).parent.name), group=path, split="")
        for path in tree.files
        if has_suffix(path, CLIP_SUFFIXES)
    ]
    others = {"files that are not clips": len(tree.files) - len(clips), **tree.unused()}
    if not clips or not (root / clips[0].path).is_file():
        there = tallied(not_zero(others))
        raise DataError(
            f"Expected a video clip, or a folder of them, found none at {videos}"
            f"{f' ({there})' if there and videos.is_dir() else ''}: check the path."
        )
    return root, clips, not_zero(others)


def extract(
    videos: Path, out: Path, sampling: Sampling, max_broken: float, on_clips: OnClips
) -> Summary:
    """Extract frames of clips into a folder; finished work in it is reused.

    Args:
        videos: a clip, or a folder of clips at any depth.
        out: folder for frames.bin, frames.parquet and skipped.json.
        sampling: which frames to extract.
        max_broken: maximum share of broken clips.
        on_clips: called with progress, from any thread.

    Raises:
        DataError: if there is no clip, too many are broken, or the folder holds foreign files.
        HomeError: if another process is using the folder.
        StageError: if a process fails.
    """
    root, clips, ignored = find_clips(videos)
    wanted = _identity(root, clips, sampling)
    _open(out)
    with exclusive(out, "choose another folder with --out"):
        found = _finished(out, wanted)
        if found is None:
            found = _extract(root, clips, sampling, out, wanted, on_clips)
        broken = {entry["clip"]: entry["reason"] for entry in found.skipped}
        check_share(broken, found.clips, max_broken, "clips", "--max-broken")
        return replace(found, ignored=ignored)


def _extract(
    root: Path,
    clips: Sequence[Clip],
    sampling: Sampling,
    out: Path,
    wanted: str,
    on_clips: OnClips,
) -> Summary:
    (out / DONE).unlink(missing_ok=True)
    work = out / WORK / wanted[:32]
    work.mkdir(parents=True, exist_ok=True)
    try:
        chunks = extract_in_slots(root, clips, sampling, work, SlotPool.of_cores(), on_clips)
    except ChildFailedError as error:
        raise StageError(str(error)) from error
    merged = merge(chunks, out)
    note = {"identity": wanted, "clips": merged.clips, "frames": merged.frames}
    write_atomically(out / DONE, json.dumps(note) + "\n")
    shutil.rmtree(out / WORK, ignore_errors=True)
    return merged


def _identity(root: Path, clips: Sequence[Clip], sampling: Sampling) -> str:
    """Digest of the clips' names, sizes and modification times, and of the sampling."""
    files = [
        [clip.path, status.st_size, status.st_mtime_ns]
        for clip in clips
        for status in [(root / clip.path).stat()]
    ]
    return digest_json({"files": files, "sampling": vars(sampling)})


def _open(out: Path) -> None:
    """Create the folder; raise DataError if it holds foreign files or is not a folder."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        sweep([out])
        others = [path.name for path in out.iterdir() if path.name not in OURS]
    except OSError as error:
        raise DataError(
            f"Expected a folder that can be written to, found {out}: {error.strerror}: choose "
            "another with --out."
        ) from error
    if others:
        raise DataError(
            f"Expected an empty folder or one of extracted frames, found {out} with "
            f"{min(others)!r} in it: choose another with --out."
        )


def _finished(out: Path, wanted: str) -> Summary | None:
    """The finished extraction in the folder if it is complete and matches, else None."""
    try:
        done = json.loads((out / DONE).read_text(encoding="utf-8"))
        skipped = json.loads((out / SKIPPED).read_text(encoding="utf-8"))
        whole = done["frames"] == 0 or len(open_frames(out)) == done["frames"]
        if done["identity"] == wanted and whole:
            return Summary(clips=done["clips"], frames=done["frames"], skipped=tuple(skipped))
    except (DataError, OSError, ValueError, KeyError, TypeError):
        # Damaged or from an earlier version: extract again.
        pass
    return None
