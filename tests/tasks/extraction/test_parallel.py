"""Frames of clips in the slots: in parallel, resumable, the same whoever does it."""

import dataclasses
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from data.errors import DataError
from data.frames import chunks as frame_chunks
from data.frames.sampling import Sampling
from data.frames.store import merge, open_frames
from data.listing import Listing
from data.raw_files import FILES, raw_files
from data.readers.class_folders import CLIP_FOLDERS
from tasks.engine.runtime import Runtime, use
from tasks.errors import StageError
from tasks.events import Event
from tasks.execution.processes import ChildFailedError
from tasks.execution.slot_runner import SlotRunner
from tasks.execution.slots import Slot, SlotPool, SlotsStoppedError
from tasks.extraction import parallel as extraction
from tasks.extraction.parallel import clips_of, extract_in_slots
from tasks.jobs import __main__ as worker
from tasks.stages import extract
from tasks.storage.artifacts import Artifact
from tests.tasks.given import given

SAMPLING = Sampling(frames=2)
CLASSES = ("Jump", "Run")
PER_CLASS = 5


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, film: Callable[..., Path]) -> Path:
    """A folder `train` and a folder `test` with five clips a class each, for `clip_folders`."""
    folder = tmp_path_factory.mktemp("clips")
    for number in range(PER_CLASS):
        for split in ("train", "test"):
            for place, name in enumerate(CLASSES):
                film(folder / split / name / f"{split}{number}.avi", 6, 40 * number + 20 * place)
    return folder


@pytest.fixture
def listing(root: Path) -> Listing:
    return CLIP_FOLDERS.list(root, "train")


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Runs jobs in this process; the slots that were taken."""
    taken: list[str] = []

    def run(command: list[str], slot: Slot, *, log: Path, cwd: Path, poll: Any) -> None:
        taken.append(slot.name)
        log.touch()
        poll()
        assert worker.main(command[5:]) == 0, log.read_text()
        poll()

    monkeypatch.setattr(extraction, "run_in_slot", run)
    monkeypatch.setattr(extraction, "CLIPS_PER_CHUNK", 2)
    return taken


def pool(count: int) -> SlotPool:
    return SlotPool([Slot(f"cpu:{i}") for i in range(count)])


def extracted(listing: Listing, folder: Path, slots: SlotPool, **words: Any) -> bytes:
    chunks = extract_in_slots(
        listing.root, clips_of(listing, "train"), SAMPLING, folder, slots, **words
    )
    merge(chunks, folder / "merged")
    return b"".join(path.read_bytes() for path in sorted((folder / "merged").iterdir()))


@pytest.mark.parametrize("slots", [1, 2, 3, 99])
def test_the_number_of_slots_does_not_change_a_byte(
    listing: Listing, tmp_path: Path, in_process: list[str], slots: int
) -> None:
    content = extracted(listing, tmp_path / "some", pool(slots))
    # Ten clips make five chunks: more processes would have nothing to do.
    assert len(in_process) == min(slots, 5)
    assert content == extracted(listing, tmp_path / "one", pool(1))
    rows = pq.read_table(tmp_path / "some" / "merged" / "frames.parquet").to_pydict()
    assert rows["clip"] == [file.path for file in listing.files for _ in range(2)]
    assert rows["class"] == [CLASSES[file.label] for file in listing.files for _ in range(2)]
    assert set(rows["split"]) == {"train"}


def test_progress_counts_the_clips_of_all_slots(
    listing: Listing, tmp_path: Path, in_process: list[str]
) -> None:
    told: list[tuple[int, int, list[str]]] = []
    extracted(listing, tmp_path, pool(2), on_clips=lambda *news: told.append(news))
    assert [done for done, *_ in told] == sorted(done for done, *_ in told)
    assert told[-1] == (10, 10, ["cpu:0", "cpu:1"])


def test_what_is_finished_is_not_decoded_again_and_the_bytes_are_the_same(
    listing: Listing, tmp_path: Path, in_process: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[str] = []
    decode = frame_chunks.clip_frames
    fail_at = 7

    def noted(path: Path, sampling: Any) -> Any:
        decoded.append(path.name)
        if len(decoded) == fail_at:
            raise KeyboardInterrupt
        return decode(path, sampling)

    monkeypatch.setattr(frame_chunks, "clip_frames", noted)
    with pytest.raises(KeyboardInterrupt):
        extracted(listing, tmp_path / "cut", pool(1))
    fail_at = 0
    # Another number of slots goes on with the same chunks.
    content = extracted(listing, tmp_path / "cut", pool(2))
    assert len(decoded) == 10 + 1
    assert content == extracted(listing, tmp_path / "whole", pool(1))


def test_a_stop_reaches_all_processes(
    listing: Listing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slots, started = pool(2), threading.Barrier(2)

    def run(command: object, slot: Slot, *, log: object, cwd: object, poll: Any) -> None:
        started.wait(10)
        slots.stop()
        while True:
            poll()

    monkeypatch.setattr(extraction, "run_in_slot", run)
    monkeypatch.setattr(extraction, "CLIPS_PER_CHUNK", 2)
    with pytest.raises(SlotsStoppedError):
        extracted(listing, tmp_path, slots)


def test_a_process_that_fails_ends_the_others(
    listing: Listing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, ended = threading.Barrier(2), []

    def run(command: object, slot: Slot, *, log: Path, cwd: object, poll: Any) -> None:
        started.wait(10)
        if slot.name == "cpu:0":
            raise ChildFailedError(2, "the disk is full", log)
        try:
            while True:
                poll()
        finally:
            ended.append(slot.name)

    monkeypatch.setattr(extraction, "run_in_slot", run)
    monkeypatch.setattr(extraction, "CLIPS_PER_CHUNK", 2)
    with pytest.raises(ChildFailedError, match="the disk is full"):
        extracted(listing, tmp_path, pool(2))
    assert ended == ["cpu:1"]


def test_a_real_process_extracts_without_torch(listing: Listing, tmp_path: Path) -> None:
    extracted(listing, tmp_path, pool(1))
    assert len(open_frames(tmp_path / "merged")) == 20
    code = "import sys, tasks.jobs.__main__, tasks.jobs.extract; print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, check=True)
    assert found.stdout == b"False\n"


# The stage.


@pytest.fixture
def inputs(root: Path, known) -> dict[str, Any]:
    digests = raw_files("clip_folders", "train", str(root), partial=False, known=known).digests
    return {
        "label": "t",
        "reader": "clip_folders",
        "split": "train",
        "root": str(root),
        "raw": digests,
        "partial": False,
        "sampling": SAMPLING,
        "max_broken": 0.05,
    }


def identity(inputs: dict[str, Any], **changes: Any) -> str:
    return extract.describe(given(extract.ExtractInputs, inputs | changes)).identity


@pytest.mark.parametrize(
    "change",
    [
        {"reader": "ucf101"},
        {"split": "test"},
        {"raw": {FILES: "0" * 64}},
        {"sampling": Sampling(frames=3)},
        {"sampling": Sampling(every=2)},
    ],
)
def test_clips_frames_and_reader_decide(inputs: dict[str, Any], change: dict[str, Any]) -> None:
    assert identity(inputs, **change) != identity(inputs)


def test_label_folder_and_what_is_borne_do_not_decide(inputs: dict[str, Any]) -> None:
    elsewhere = {"label": "u", "root": "/elsewhere", "partial": True, "max_broken": 0.5}
    assert identity(inputs, **elsewhere) == identity(inputs)


def test_the_artifact_says_what_it_holds(
    runtime: Runtime, inputs: dict[str, Any], in_process: list[str], events: list[Event]
) -> None:
    with use(runtime):
        artifact: Artifact = extract.STAGE.perform(given(extract.ExtractInputs, inputs))
    summary = dict(artifact.summary)
    assert len(summary.pop("content")) == 64
    about = summary.pop("about")
    assert about["classes"] == list(CLASSES)
    assert about["official"] is False
    assert summary == {"clips": 10, "frames": 20, "skipped": {}, "broken": 0}
    assert len(open_frames(runtime.home / artifact.folder)) == 20
    assert set(artifact.files) == {"frames.bin", "frames.parquet", "skipped.json"}
    running = [event for event in events if event.steps]
    assert (running[-1].step, running[-1].steps, running[-1].slot) == (10, 10, "cpu:0")
    named = [call.args[1:] for call in runtime.tracker.log_dataset.call_args_list]
    assert [(name, context) for name, _, _, context in named] == [
        ("clip_folders files", "raw"),
        ("clip_folders/train frames", "output"),
    ]


def test_clips_are_decoded_on_the_cores_and_not_in_the_slots_of_gpus(
    runtime: Runtime, inputs: dict[str, Any], in_process: list[str]
) -> None:
    gpu = SlotPool([Slot("cuda:0")])
    train, cores = (SlotRunner(runtime.home, slots) for slots in (gpu, pool(2)))
    with use(dataclasses.replace(runtime, train=train, cores=cores)):
        extract.STAGE.perform(given(extract.ExtractInputs, inputs))
    assert {*in_process} == {"cpu:0", "cpu:1"}


@pytest.fixture
def damaged(root: Path, tmp_path: Path) -> Path:
    """The same clips, three of the ten in `train` damaged."""
    folder = tmp_path / "damaged"
    shutil.copytree(root, folder)
    clip = folder / "train" / "Jump" / "train1.avi"
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size * 2 // 5])
    (folder / "train" / "Jump" / "train2.avi").write_bytes(b"")
    (folder / "train" / "Run" / "train0.avi").write_text("a text file named .avi\n")
    return folder


def test_damaged_clips_are_left_out_and_named_with_the_reason(
    runtime: Runtime, inputs: dict[str, Any], in_process: list[str], damaged: Path, known
) -> None:
    raw = raw_files("clip_folders", "train", str(damaged), partial=False, known=known).digests
    changed = inputs | {"root": str(damaged), "raw": raw, "max_broken": 0.3}
    with use(runtime):
        artifact = extract.STAGE.perform(given(extract.ExtractInputs, changed))
    assert (artifact.summary["clips"], artifact.summary["broken"]) == (10, 3)
    assert artifact.summary["frames"] == 14
    skipped = json.loads((runtime.home / artifact.folder / "skipped.json").read_text())
    assert [entry["clip"] for entry in skipped] == [
        "train/Jump/train1.avi",
        "train/Jump/train2.avi",
        "train/Run/train0.avi",
    ]
    assert all(entry["reason"].startswith("expected a ") for entry in skipped)


def test_too_many_damaged_clips_fail_the_stage_with_their_names(
    runtime: Runtime, inputs: dict[str, Any], in_process: list[str], damaged: Path, known
) -> None:
    raw = raw_files("clip_folders", "train", str(damaged), partial=False, known=known).digests
    changed = inputs | {"root": str(damaged), "raw": raw, "max_broken": 0.29}
    with (
        use(runtime),
        pytest.raises(
            DataError, match=r"at most 29% broken clips, found 3 of 10.*Jump/train1\.avi"
        ),
    ):
        extract.STAGE.perform(given(extract.ExtractInputs, changed))


def test_clips_that_changed_since_the_run_began_are_refused(
    runtime: Runtime, inputs: dict[str, Any], in_process: list[str]
) -> None:
    changed = inputs | {"raw": {FILES: "0" * 64}}
    with use(runtime), pytest.raises(DataError, match="found different files; leave them alone"):
        extract.STAGE.perform(given(extract.ExtractInputs, changed))


def test_a_process_that_fails_is_one_line(
    runtime: Runtime, inputs: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, log: Path, **__: object) -> None:
        raise ChildFailedError(-9, "", log)

    monkeypatch.setattr(extraction, "run_in_slot", fail)
    with (
        use(runtime),
        pytest.raises(StageError, match=r"t: it said nothing \[the process was killed"),
    ):
        extract.STAGE.perform(given(extract.ExtractInputs, inputs))
