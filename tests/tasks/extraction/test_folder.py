"""Frames of anybody's clips: found at any depth, resumable, never over other people's files."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from data.errors import DataError
from data.frames.sampling import Sampling
from data.frames.store import MANIFEST, open_frames
from tasks.errors import StageError
from tasks.execution.processes import ChildFailedError
from tasks.execution.slots import Slot, SlotPool
from tasks.extraction import folder as extract_folder
from tasks.extraction import parallel as extraction
from tasks.extraction.folder import DONE, extract, find_clips
from tasks.jobs import __main__ as worker
from tasks.storage.home import HomeError, exclusive


@pytest.fixture
def videos(tmp_path: Path, film: Callable[..., Path]) -> Path:
    folder = tmp_path / "videos"
    for number, name in enumerate(("a.avi", "Run/b.avi", "Run/far/c.AVI", "Jump/d.mp4")):
        film(folder / name, 6, 40 * number)
    (folder / "Run" / "notes.txt").touch()
    return folder


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Runs jobs in this process, in one slot; a line for each."""
    lines: list[str] = []

    def run(command: list[str], slot: Slot, *, log: Path, cwd: Path, poll: Any) -> None:
        lines.append(command[5])
        log.touch()
        assert worker.main(command[5:]) == 0
        poll()

    monkeypatch.setattr(extraction, "run_in_slot", run)
    one = SlotPool([Slot("cpu:0")])
    monkeypatch.setattr(extract_folder.SlotPool, "of_this_machine", lambda: one)
    return lines


TWO = Sampling(frames=2)


def extracted(videos: Path, out: Path, sampling: Sampling = TWO, most: float = 0.0) -> Any:
    return extract(videos, out, sampling, most, lambda *_: None)


def test_clips_are_found_at_any_depth_with_their_folder_as_class(videos: Path) -> None:
    root, clips, ignored = find_clips(videos)
    assert root == videos
    assert [(clip.path, clip.label) for clip in clips] == [
        ("Jump/d.mp4", "Jump"),
        ("Run/b.avi", "Run"),
        ("Run/far/c.AVI", "far"),
        ("a.avi", ""),
    ]
    assert ignored == {"files that are not clips": 1}
    assert find_clips(videos / "Run" / "b.avi")[1][0].path == "b.avi"
    assert find_clips(videos / "Run" / "b.avi")[2] == {}


def test_what_is_no_clip_is_counted_by_what_it_is(videos: Path, ran: list[str]) -> None:
    (videos / "Run" / "@eaDir" / "b.avi").mkdir(parents=True)
    (videos / "Run" / "@eaDir" / "b.avi" / "SYNOVIDEO.mp4").touch()
    (videos / "Run" / "._b.avi").touch()
    found = extracted(videos, videos.parent / "out")
    assert found.clips == 4
    assert found.ignored == {
        "files that are not clips": 1,
        "resource forks of macOS": 1,
        "thumbnails and folders of network drives": 1,
    }
    assert extracted(videos, videos.parent / "out").ignored == found.ignored


@pytest.mark.parametrize("name", ["none", "Run/notes.txt", "empty"])
def test_without_a_clip_there_is_one_line(videos: Path, name: str) -> None:
    (videos / "empty").mkdir()
    with pytest.raises(DataError, match=r"found none at .*: check the path"):
        find_clips(videos / name)


def test_frames_lie_in_the_folder_and_nothing_else(
    videos: Path, tmp_path: Path, ran: list[str]
) -> None:
    summary = extracted(videos, tmp_path / "out")
    assert (summary.clips, summary.frames, summary.skipped) == (4, 8, ())
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "frames.bin",
        "frames.parquet",
        "skipped.json",
        DONE,
    }
    assert len(open_frames(tmp_path / "out")) == 8
    rows = pq.read_table(tmp_path / "out" / "frames.parquet").to_pydict()
    assert rows["frame"] == [1, 4] * 4


def test_what_is_finished_is_not_done_again_unless_clips_or_choice_change(
    videos: Path, tmp_path: Path, ran: list[str], film: Callable[..., Path]
) -> None:
    first = extracted(videos, tmp_path / "out")
    assert extracted(videos, tmp_path / "out") == first
    assert len(ran) == 1
    assert extracted(videos, tmp_path / "out", Sampling(every=2)).frames == 12
    assert len(ran) == 2
    film(videos / "new.avi", 6, 0)
    assert extracted(videos, tmp_path / "out", Sampling(every=2)).clips == 5


def test_broken_clips_are_counted_and_the_others_are_not_decoded_again(
    videos: Path, tmp_path: Path, ran: list[str]
) -> None:
    (videos / "Run" / "b.avi").write_text("text")
    with pytest.raises(DataError, match=r"at most 20% .* found 1 of 4.*or raise --max-broken"):
        extracted(videos, tmp_path / "out", most=0.2)
    summary = extracted(videos, tmp_path / "out", most=0.25)
    assert [entry["clip"] for entry in summary.skipped] == ["Run/b.avi"]
    assert len(ran) == 1


def test_a_folder_with_other_files_is_not_written_to(
    videos: Path, tmp_path: Path, ran: list[str]
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").touch()
    with pytest.raises(DataError, match=r"with 'mine\.txt' in it: choose another with --out"):
        extracted(videos, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]


def test_what_a_kill_has_left_does_not_make_the_folder_foreign(
    videos: Path, tmp_path: Path, ran: list[str]
) -> None:
    left = tmp_path / "out" / f".{DONE}.1-1.tmp"
    left.parent.mkdir()
    left.touch()
    os.utime(left, (0, 0))

    assert extracted(videos, tmp_path / "out").clips == 4
    assert not left.exists()


@pytest.mark.parametrize(("name", "content"), [(DONE, "{"), ("frames.bin", ""), (MANIFEST, "PAR1")])
def test_what_is_damaged_is_made_again(
    videos: Path, tmp_path: Path, ran: list[str], name: str, content: str
) -> None:
    extracted(videos, tmp_path / "out")
    (tmp_path / "out" / name).write_text(content)
    extracted(videos, tmp_path / "out")
    assert len(ran) == 2
    assert json.loads((tmp_path / "out" / DONE).read_text())["clips"] == 4
    assert len(open_frames(tmp_path / "out")) == 8


def test_two_processes_do_not_write_into_one_folder(
    videos: Path, tmp_path: Path, ran: list[str]
) -> None:
    (tmp_path / "out").mkdir()
    with (
        exclusive(tmp_path / "out"),
        pytest.raises(HomeError, match="wait for it, or choose another folder with --out"),
    ):
        extracted(videos, tmp_path / "out")
    assert ran == []


def test_a_relative_folder_is_one_from_here(
    videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert extracted(Path("videos"), Path("out")).frames == 8


def test_a_process_that_fails_is_one_line(
    videos: Path, tmp_path: Path, ran: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, log: Path, **__: object) -> None:
        raise ChildFailedError(2, "No space left on device", log)

    monkeypatch.setattr(extraction, "run_in_slot", fail)
    with pytest.raises(StageError, match="No space left on device"):
        extracted(videos, tmp_path / "out")
