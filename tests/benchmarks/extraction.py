"""CPU time of taking frames out of clips, PyAV as we use it against OpenCV; run it by itself.

python -P tests/benchmarks/extraction.py CLIPS [--frames 10] [--passes 5]

First all clips under the folder CLIPS go through `extract_chunk` and `merge`: decoding, JPEG and
writing, and the most memory that the process ever had. Then the ways to decode take turns clip by
clip, in an order that changes with every pass, so that whatever else the machine does falls on all
of them; a way's time for a clip is its smallest over the passes, the ratios are medians over the
clips with their quartiles. Time is that of the process on the processor; every way has one thread.
OpenCV is left out where it is not installed; the last line says for how many clips it gives the
same pixels. A clip of which it does not is one whose header announces another number of frames.
"""

import argparse
import importlib.util
import itertools
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import av
import numpy as np

from data.frames.chunks import CLIPS_PER_CHUNK, Clip, encode_jpeg, extract_chunk
from data.frames.decode import Sampling, clip_frames
from data.frames.store import merge

SUFFIXES = {".avi", ".mkv", ".mov", ".mp4", ".webm"}
Way = Callable[[Path, Sampling], Sequence[np.ndarray]]
write = sys.stdout.write


def ours(path: Path, sampling: Sampling) -> Sequence[np.ndarray]:
    """The frames as the pipeline takes them."""
    return [frame.pixels for frame in clip_frames(path, sampling)]


def plain(path: Path, sampling: Sampling) -> Sequence[np.ndarray]:
    """The loop of PyAV's manual; it believes the header."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        wanted = set(sampling.positions(stream.frames))
        frames = enumerate(itertools.islice(container.decode(stream), max(wanted) + 1))
        return [f.to_ndarray(format="rgb24", threads=1) for i, f in frames if i in wanted]


def opencv(path: Path, sampling: Sampling) -> Sequence[np.ndarray]:
    """OpenCV, which grabs all frames and retrieves the wanted ones; it believes the header."""
    import cv2

    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    wanted = set(sampling.positions(int(capture.get(cv2.CAP_PROP_FRAME_COUNT))))
    kept = []
    for position in range(max(wanted) + 1):
        capture.grab()
        if position in wanted:
            kept.append(capture.retrieve()[1])
    capture.release()
    return kept


WAYS: dict[str, Way] = {"ours": ours, "plain PyAV": plain, "OpenCV": opencv}


def milliseconds(call: Callable[..., object], *arguments: object) -> float:
    """Processor time of a call."""
    started = time.process_time()
    call(*arguments)
    return 1000 * (time.process_time() - started)


def most_memory() -> float:
    """The most memory that this process ever had, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def store(paths: Sequence[Path], root: Path, sampling: Sampling) -> None:
    """All clips into a store that is thrown away; prints what that took."""
    clips = [
        Clip(path=path.relative_to(root).as_posix(), label=path.parent.name, group="", split="")
        for path in paths
    ]
    before = most_memory()
    with tempfile.TemporaryDirectory() as folder:
        chunks, started = [], time.process_time()
        for start in range(0, len(clips), CLIPS_PER_CHUNK):
            chunks.append(Path(folder) / f"{start:06}")
            extract_chunk(root, clips[start : start + CLIPS_PER_CHUNK], chunks[-1], sampling)
        extracted = time.process_time()
        summary = merge(chunks, Path(folder) / "store")
        merged = time.process_time()
    write(f"{summary.clips} clips, {summary.frames} frames, {len(summary.skipped)} skipped; ")
    write(f"ms a clip: {1000 * (extracted - started) / len(clips):.2f} extracted (decoding, JPEG, ")
    write(f"writing), {1000 * (merged - extracted) / len(clips):.2f} merged\n")
    write(f"most memory {most_memory():.0f} MiB, of it {before:.0f} before the first clip\n\n")


def encode(path: Path, frames: Iterable[np.ndarray]) -> None:
    """The JPEGs of a clip."""
    for pixels in frames:
        encode_jpeg(pixels, path)


def measure(paths: Sequence[Path], sampling: Sampling, passes: int) -> dict[str, list[float]]:
    """Milliseconds of each way for each clip, the smallest over the passes."""
    names = [name for name in WAYS if name != "OpenCV" or importlib.util.find_spec("cv2")]
    times: dict[str, list[float]] = {name: [] for name in (*names, "JPEG")}
    for turn, path in enumerate(paths):
        passed: dict[str, list[float]] = {name: [] for name in times}
        for number in range(passes):
            shift = (turn + number) % len(names)
            for name in names[shift:] + names[:shift]:
                passed[name].append(milliseconds(WAYS[name], path, sampling))
            passed["JPEG"].append(milliseconds(encode, path, ours(path, sampling)))
        for name, values in passed.items():
            times[name].append(min(values))
    return times


def same_pixels(paths: Sequence[Path], sampling: Sampling) -> int:
    """Number of clips of which OpenCV gives the same pixels as we do."""
    pairs = ((ours(path, sampling), opencv(path, sampling)) for path in paths)
    return sum(np.array_equal(a, np.array(b)[..., ::-1]) for a, b in pairs)


def quartiles(values: Iterable[float], digits: int) -> str:
    """Median, lower and upper quartile as text."""
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:7.{digits}f}  {low:.{digits}f} to {high:.{digits}f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("clips", type=Path)
    parser.add_argument("--frames", type=int, default=10)
    parser.add_argument("--passes", type=int, default=5)
    given = parser.parse_args()
    sampling = Sampling(frames=given.frames)
    paths = sorted(p for p in given.clips.rglob("*") if p.suffix.lower() in SUFFIXES)
    store(paths, given.clips, sampling)
    times = measure(paths, sampling, given.passes)
    write(f"{'ms a clip':14} {'mean':>7} {'median':>7}  quartiles\n")
    for name, values in times.items():
        write(f"{name:14} {statistics.mean(values):7.2f} {quartiles(values, 2)}\n")
    others = [name for name in times if name not in ("ours", "JPEG")]
    write(f"{'ours over':14} {'':7} {'ratio':>7}  quartiles\n")
    for name, against in {
        **{name: times[name] for name in others},
        "the better": [min(pair) for pair in zip(*(times[n] for n in others), strict=True)],
    }.items():
        ratios = [a / b for a, b in zip(times["ours"], against, strict=True)]
        write(f"{name:14} {'':7} {quartiles(ratios, 3)}\n")
    if "OpenCV" in times:
        write(f"same pixels as OpenCV: {same_pixels(paths, sampling)} of {len(paths)} clips\n")


if __name__ == "__main__":
    main()
