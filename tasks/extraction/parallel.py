"""Parallel, resumable extraction of frames in the slots of this machine."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from data.frames.chunks import CLIPS_PER_CHUNK, Clip
from data.frames.sampling import Sampling
from data.listing import Listing
from tasks.execution.attempts import job_command
from tasks.execution.slots import SlotPool, run_in_slot
from tasks.jobs.extract import PROGRESS, Chunk, ExtractJob
from tasks.jobs.files import write_job

LOG = "log.txt"

OnClips = Callable[[int, int, Sequence[str]], None]
"""Called with the number of finished clips, the total, and the slots in use."""


def clips_of(listing: Listing, split: str) -> list[Clip]:
    """The clips of a listing, in order."""
    return [
        Clip(path=file.path, label=listing.class_of(file) or "", group=file.group, split=split)
        for file in listing.files
    ]


def extract_in_slots(
    root: Path,
    clips: Sequence[Clip],
    sampling: Sampling,
    folder: Path,
    slots: SlotPool,
    on_clips: OnClips = lambda *_: None,
) -> list[Path]:
    """Extract frames in parallel over the slots; returns the folders of all chunks in order.

    Chunks do not depend on the number of slots, so another machine can continue.

    Args:
        root: folder that the clips' paths are relative to.
        clips: clips in the order of the result.
        sampling: which frames to extract.
        folder: folder of this extraction alone; finished work in it is reused.
        slots: pool of slots; each process takes one.
        on_clips: called with progress, from any thread.

    Raises:
        ChildFailedError: if a process fails.
        SlotsStoppedError: if the slots are stopped.
    """
    chunks = [clips[start : start + CLIPS_PER_CHUNK] for start in _starts(clips)]
    folder = folder.absolute()
    folders = [folder / f"chunk-{number:05}" for number in range(len(chunks))]
    jobs = [
        Chunk(folder=path, clips=tuple(chunk)) for path, chunk in zip(folders, chunks, strict=True)
    ]
    count = min(len(slots.slots), len(jobs))
    done = _Done(len(clips), on_clips)
    shards = [
        _Shard(
            folder / f"shard-{number}",
            ExtractJob(root=root, sampling=sampling, chunks=tuple(jobs[number::count])),
            slots,
            done,
        )
        for number in range(count)
    ]
    with ThreadPoolExecutor(count) as pool:
        futures = [pool.submit(shard.run) for shard in shards]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:
            # Only the main thread gets an interrupt.
            done.stop.set()
            raise
    return folders


class _StoppedError(RuntimeError):
    """Another shard failed."""


class _Done:
    """Finished clips per shard, and a flag that stops all shards."""

    def __init__(self, total: int, on_clips: OnClips) -> None:
        self._total, self._on_clips, self._lock = total, on_clips, threading.Lock()
        self._clips: dict[str, int] = {}
        self.stop = threading.Event()

    def report(self, slot: str, clips: int) -> None:
        with self._lock:
            self._clips[slot] = clips
            self._on_clips(sum(self._clips.values()), self._total, sorted(self._clips))


@dataclass(frozen=True)
class _Shard:
    """The chunks of one process."""

    folder: Path
    job: ExtractJob
    slots: SlotPool
    done: _Done

    def run(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        write_job(self.folder, self.job, self.folder)
        (self.folder / PROGRESS).unlink(missing_ok=True)
        command = job_command("extract", self.folder, self.folder)
        with self.slots.take() as slot:

            def poll() -> None:
                self.slots.raise_if_stopped()
                if self.done.stop.is_set():
                    raise _StoppedError
                self.done.report(slot.name, self._clips())

            run_in_slot(command, slot, log=self.folder / LOG, cwd=self.folder, poll=poll)

    def _clips(self) -> int:
        try:
            return int((self.folder / PROGRESS).read_text(encoding="ascii"))
        except (OSError, ValueError):
            # Missing or being written.
            return 0


def _starts(clips: Sequence[Clip]) -> range:
    return range(0, len(clips), CLIPS_PER_CHUNK)
