"""Stage prepare: raw files to sealed or open folders."""

from pathlib import Path
from typing import Any

import pytest

from data import raw_files as raw
from data.digest_cache import KnownDigests
from data.errors import DataError
from data.sealed import open_sealed_test
from data.tables.image_set import load_prepared
from tasks.engine.runtime import Runtime, use
from tasks.stages import prepare, raw_inputs
from tasks.stages.raw_inputs import RawInputs
from tests.tasks.given import given


class Reader:
    """Files `train` and `test` under a root."""

    version = 3
    embedded = False
    classes = ("0", "1", "2", "3")

    def __init__(self, images: Any) -> None:
        self.images = images
        self.asked: list[tuple[Path | None, str]] = []

    def files(self, root: Path | None, split: str) -> tuple[Path, ...]:
        return () if root is None else (root / split, root / "shared")

    def read(self, root: Path | None, split: str) -> Any:
        self.asked.append((root, split))
        return self.images


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch, toy) -> Reader:
    made = Reader(toy.target)
    for module in (prepare, raw):
        monkeypatch.setattr(module, "find_reader", {"toy": made, "other": made}.__getitem__)
    monkeypatch.setattr(raw, "media_of", lambda _: "arrays")
    return made


@pytest.fixture
def unchanged(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets what the raw files' digests are when they are read."""

    def are(digests: dict[str, str]) -> None:
        monkeypatch.setattr(prepare, "raw_files", lambda *_, **__: raw.RawFiles(digests, ()))

    are({"train": "a" * 64})
    return are


def inputs(**changes: Any) -> RawInputs:
    raw = {"train": "a" * 64}
    whole = {"label": "a", "reader": "toy", "split": "train", "root": "/data", "raw": raw}
    return given(RawInputs, whole | changes)


def identity(**changes: Any) -> str:
    return prepare.describe(inputs(**changes)).identity


@pytest.mark.parametrize(
    "change", [{"reader": "other"}, {"split": "test"}, {"raw": {"train": "b" * 64}}, {"raw": {}}]
)
def test_reader_split_and_raw_bytes_decide(reader: Reader, change: dict[str, Any]) -> None:
    assert identity(**change) != identity()


def test_a_new_version_of_the_reader_is_another_identity(reader: Reader) -> None:
    before = identity()
    reader.version = 4

    assert identity() != before


def test_neither_label_nor_folder_decide(reader: Reader) -> None:
    assert identity(label="b", root="/elsewhere") == identity()


def test_raw_files_are_named_by_their_digests(reader: Reader, tmp_path: Path) -> None:
    (tmp_path / "train").write_bytes(b"abc")
    (tmp_path / "shared").write_bytes(b"")

    def digests(split: str, root: str | None) -> dict[str, str]:
        return raw.raw_files("toy", split, root, partial=False, known=KnownDigests()).digests

    abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert digests("train", str(tmp_path)) == {"train": abc, "shared": empty}
    assert digests("train", None) == {}
    with pytest.raises(DataError):
        digests("test", str(tmp_path))


@pytest.mark.usefixtures("unchanged")
def test_training_images_are_stored_open_and_summed_up(
    reader: Reader, runtime: Runtime, toy
) -> None:
    with use(runtime):
        artifact = prepare.STAGE.perform(inputs())

    stored = load_prepared(runtime.home / artifact.folder)
    assert (stored.images.numpy() == toy.target.images).all()
    assert reader.asked == [(Path("/data"), "train")]
    summary = dict(artifact.summary)
    assert len(summary.pop("content")) == 64
    assert summary == {
        "dataset": "toy",
        "split": "train",
        "origin": "made here",
        "official": False,
        "samples": 80,
        "classes": ["0", "1", "2", "3"],
        "per_class": [20, 20, 20, 20],
    }
    assert artifact.notes["run_id"] == "run-1"


@pytest.mark.usefixtures("unchanged")
def test_the_test_split_is_sealed(reader: Reader, runtime: Runtime) -> None:
    with use(runtime):
        artifact = prepare.STAGE.perform(inputs(split="test"))

    with pytest.raises(DataError, match="sealed"):
        load_prepared(runtime.home / artifact.folder)
    assert len(open_sealed_test(runtime.home / artifact.folder)) == 80


def test_the_content_is_that_of_the_images_and_not_of_the_raw_files(
    reader: Reader, runtime: Runtime, toy, unchanged: Any
) -> None:
    with use(runtime):
        first = prepare.STAGE.perform(inputs())
        unchanged({"train.gz": "c" * 64})
        repacked = prepare.STAGE.perform(inputs(raw={"train.gz": "c" * 64}))
        reader.images = toy.test
        unchanged({"train": "d" * 64})
        other = prepare.STAGE.perform(inputs(raw={"train": "d" * 64}))

    assert repacked.identity != first.identity
    assert repacked.digest == first.digest
    assert other.summary["content"] != first.summary["content"]


@pytest.mark.parametrize(("root", "raw"), [("/data", {"train": "a" * 64}), (None, {})])
def test_the_run_names_raw_and_prepared_data(
    reader: Reader, runtime: Runtime, unchanged: Any, root: str | None, raw: dict[str, str]
) -> None:
    unchanged(raw)
    with use(runtime):
        artifact = prepare.STAGE.perform(inputs(root=root, raw=raw))

    read, written = [call.args for call in runtime.tracker.log_dataset.call_args_list]
    if root:
        assert read == ("run-1", "train", "a" * 64, "/data/train", "raw")
    else:
        # Embedded data have no files, yet a chain must end in something raw.
        assert (read[1], read[3], read[4]) == ("embedded toy", "embedded/embedded toy", "raw")
    content = artifact.summary["content"]
    assert written == ("run-1", "toy/train", content, artifact.folder, "output")


def test_raw_files_that_changed_since_the_run_began_are_refused(
    reader: Reader, runtime: Runtime, unchanged: Any
) -> None:
    unchanged({"train": "e" * 64})
    with use(runtime), pytest.raises(DataError, match="found different files"):
        prepare.STAGE.perform(inputs())


def test_the_libraries_that_make_embedded_images_are_part_of_their_identity(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader.embedded = True
    before = identity()
    monkeypatch.setattr(raw_inputs, "version", lambda name: f"other {name}")

    assert identity() != before
