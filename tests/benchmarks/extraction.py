"""CPU time of extracting frames from clips, and of PyAV's plain loop and OpenCV for comparison.

The clips are those of a folder, or else the embedded ones. The ways to decode take turns clip by
clip, in an order that changes with every pass, so that what else the machine does falls on all of
them; a way's time for a clip is its smallest over the passes. Every way has one thread. OpenCV is
left out where it is not installed.
"""

import importlib.util
import itertools
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import av
import numpy as np
from figures import Figure, once, several

from data.embedded.people_readers import FigureClipsReader
from data.frames.chunks import CLIPS_PER_CHUNK, Clip, encode_jpeg, extract_chunk
from data.frames.decode import clip_frames
from data.frames.sampling import Sampling
from data.frames.store import merge

SUFFIXES = {".avi", ".mkv", ".mov", ".mp4", ".webm"}
SAMPLING = Sampling(frames=10)
Way = Callable[[Path], Sequence[np.ndarray]]


def ours(path: Path) -> Sequence[np.ndarray]:
    """The frames as the pipeline reads them."""
    return [frame.pixels for frame in clip_frames(path, SAMPLING)]


def plain(path: Path) -> Sequence[np.ndarray]:
    """The loop of PyAV's manual; it trusts the header."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        wanted = set(SAMPLING.positions(stream.frames))
        frames = enumerate(itertools.islice(container.decode(stream), max(wanted) + 1))
        return [f.to_ndarray(format="rgb24", threads=1) for i, f in frames if i in wanted]


def opencv(path: Path) -> Sequence[np.ndarray]:
    """OpenCV, which grabs all frames and retrieves some; it trusts the header."""
    import cv2

    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    wanted = set(SAMPLING.positions(int(capture.get(cv2.CAP_PROP_FRAME_COUNT))))
    kept = []
    for position in range(max(wanted) + 1):
        capture.grab()
        if position in wanted:
            kept.append(capture.retrieve()[1])
    capture.release()
    return kept


def ways() -> dict[str, Way]:
    """The ways to decode that are installed."""
    found: dict[str, Way] = {"ours": ours, "plain PyAV": plain}
    return found | ({"OpenCV": opencv} if importlib.util.find_spec("cv2") else {})


def milliseconds(call: Callable[..., object], *arguments: object) -> float:
    """CPU time of a call."""
    started = time.process_time()
    call(*arguments)
    return 1000 * (time.process_time() - started)


def peak_memory() -> float:
    """Peak memory of this process so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def stored(paths: Sequence[Path], root: Path) -> Iterator[Figure]:
    """All clips through `extract_chunk` and `merge`: decoding, JPEG and writing."""
    clips = [
        Clip(path=path.relative_to(root).as_posix(), label=path.parent.name, group="", split="")
        for path in paths
    ]
    before = peak_memory()
    with tempfile.TemporaryDirectory() as folder:
        chunks, started = [], time.process_time()
        for start in range(0, len(clips), CLIPS_PER_CHUNK):
            chunks.append(Path(folder) / f"{start:06}")
            extract_chunk(root, clips[start : start + CLIPS_PER_CHUNK], chunks[-1], SAMPLING)
        merge(chunks, Path(folder) / "store")
        took = time.process_time() - started
    detail = f"{len(clips)} clips, 10 frames each"
    yield once("extraction, a clip", 1000 * took / len(clips), "ms", detail)
    yield once("extraction, memory above that of the imports", peak_memory() - before, "MiB")


def encode(path: Path, frames: Sequence[np.ndarray]) -> None:
    """The JPEGs of a clip."""
    for pixels in frames:
        encode_jpeg(pixels, path)


def measure(paths: Sequence[Path], passes: int) -> dict[str, list[float]]:
    """Milliseconds of each way for each clip, the smallest over the passes."""
    there = ways()
    names = list(there)
    times: dict[str, list[float]] = {name: [] for name in (*names, "JPEG")}
    for turn, path in enumerate(paths):
        passed: dict[str, list[float]] = {name: [] for name in times}
        for number in range(passes):
            shift = (turn + number) % len(names)
            for name in names[shift:] + names[:shift]:
                passed[name].append(milliseconds(there[name], path))
            passed["JPEG"].append(milliseconds(encode, path, ours(path)))
        for name, values in passed.items():
            times[name].append(min(values))
    return times


def same_pixels(paths: Sequence[Path]) -> str:
    """How many clips have the same frames from OpenCV as from us; others have a false header."""
    pairs = [(ours(path), opencv(path)) for path in paths]
    same = sum(np.array_equal(a, np.array(b)[..., ::-1]) for a, b in pairs)
    return f"same pixels for {same} of {len(paths)} clips"


def figures(quick: bool, folder: Path | None = None) -> Iterator[Figure]:
    """Figures of the clips below a folder, or else of the embedded test clips."""
    with tempfile.TemporaryDirectory() as drawn:
        if folder is None:
            folder = Path(drawn)
            FigureClipsReader().make(folder, "test")
        paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
        yield from stored(paths, folder)
        times = measure(paths, 2 if quick else 5)
        for name in times:
            if name not in ("ours", "JPEG"):
                pairs = zip(times["ours"], times[name], strict=True)
                detail = same_pixels(paths) if name == "OpenCV" else ""
                yield several(f"decoding / {name}", [a / b for a, b in pairs], "x", detail)
        yield several("JPEG of a clip's frames", times["JPEG"], "ms")
