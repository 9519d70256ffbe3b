"""Artifacts: identities, commits, damage."""

import json
from pathlib import Path
from typing import Any

import pytest

from tasks.storage import artifacts as artifacts_module
from tasks.storage.artifacts import RESULT, Artifact, Request, Store, read_artifact
from tasks.subjects import Subject


def request_of(**changes: Any) -> Request:
    whole = {"stage": "double", "version": 1, "config": {"rate": 0.05}}
    whole |= {"inputs": {"data": "d" * 64}, "seed": 7, "label": "a stage"} | changes
    subject = Subject(name=whole.pop("label"))
    return Request(**whole, subject=subject)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def made(store: Store, request, files=None, summary=None, notes=None, contents=None) -> Artifact:
    output = store.work(request) / "output"
    output.mkdir()
    for name, text in (files or {"a.txt": "one", "b.txt": "two"}).items():
        (output / name).write_text(text)
    return store.commit(request, output, summary or {"n": 2}, notes or {}, contents or {})


@pytest.mark.parametrize(
    "change",
    [
        {"stage": "triple"},
        {"version": 2},
        {"config": {"rate": 0.02}},
        {"config": {"rate": 0.05, "more": None}},
        {"inputs": {"data": "e" * 64}},
        {"inputs": {"other": "d" * 64}},
        {"seed": 8},
    ],
)
def test_every_part_of_the_document_changes_the_identity(change: dict[str, Any]) -> None:
    assert request_of(**change).identity != request_of().identity


def test_the_label_and_the_order_of_settings_do_not_change_the_identity() -> None:
    one = request_of(config={"a": 1, "b": 2}, label="one")
    other = request_of(config={"b": 2, "a": 1}, label="other")

    assert one.identity == other.identity
    assert "label" not in one.document


def test_a_committed_artifact_is_found_with_its_files(store: Store) -> None:
    request = request_of()

    artifact = made(store, request, notes={"run_id": "r"})

    assert store.find(request) == artifact
    assert artifact.folder == f"artifacts/double/{request.identity[:32]}"
    assert (store.home / artifact.folder / "b.txt").read_text() == "two"
    assert artifact.files["b.txt"]["bytes"] == 3
    assert artifact.document == request.document
    assert not (store.work(request) / "output").exists()
    assert store.find(request_of(seed=8)) is None


def test_the_digest_is_that_of_files_and_summary_alone(store: Store) -> None:
    plain = made(store, request_of())
    same = made(store, request_of(seed=8, label="other"), notes={"seconds": 3.0})
    other_file = made(store, request_of(seed=9), files={"a.txt": "one", "b.txt": "TWO"})
    other_name = made(store, request_of(seed=10), files={"a.txt": "one", "c.txt": "two"})
    other_summary = made(store, request_of(seed=11), summary={"n": 3})

    assert same.digest == plain.digest
    digests = {a.digest for a in (plain, other_file, other_name, other_summary)}
    assert len(digests) == 4


def test_a_content_digest_stands_for_bytes_that_hold_notes(store: Store) -> None:
    def table(seed: int, text: str, content: str) -> Artifact:
        request = request_of(seed=seed)
        return made(store, request, files={"t": text}, contents={"t": content})

    first, renamed, changed = table(1, "a", "c1"), table(2, "b", "c1"), table(3, "a", "c2")

    assert first.digest == renamed.digest != changed.digest
    assert store.find(request_of(seed=2)) == renamed
    (store.home / renamed.folder / "t").write_text("a")
    # The bytes themselves are still checked.
    assert store.find(request_of(seed=2)) is None


def remove(folder: Path) -> None:
    (folder / "b.txt").unlink()


def change_a_byte(folder: Path) -> None:
    (folder / "b.txt").write_text("twO")


def lengthen(folder: Path) -> None:
    (folder / "b.txt").write_text("two\n")


def truncate_result(folder: Path) -> None:
    text = (folder / RESULT).read_text()
    (folder / RESULT).write_text(text[: len(text) // 2])


def empty_result(folder: Path) -> None:
    (folder / RESULT).write_text("null")


def wrong_types(folder: Path) -> None:
    rewrite(folder, files=[])


def change_a_figure(folder: Path) -> None:
    rewrite(folder, summary={"n": 3})


def change_a_setting(folder: Path) -> None:
    rewrite(folder, document=read_artifact(folder / RESULT).document | {"seed": 8})


def rewrite(folder: Path, **changes: object) -> None:
    content = json.loads((folder / RESULT).read_text())
    (folder / RESULT).write_text(json.dumps(content | changes))


def remove_result(folder: Path) -> None:
    (folder / RESULT).unlink()


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (remove, "b.txt is missing"),
        (change_a_byte, "b.txt is damaged"),
        (lengthen, "b.txt is damaged"),
        (truncate_result, "result.json is missing or damaged"),
        (empty_result, "result.json is missing or damaged"),
        (wrong_types, "result.json is missing or damaged"),
        (change_a_figure, "result.json is missing or damaged"),
        (change_a_setting, "result.json is missing or damaged"),
        (remove_result, "result.json is missing or damaged"),
    ],
)
def test_damage_is_told_not_used_and_replaced(store: Store, harm, words) -> None:
    request = request_of()
    before = made(store, request)
    folder = store.folder(request)
    assert store.damage(folder) is None

    harm(folder)

    assert store.damage(folder) == words
    assert store.find(request) is None
    assert made(store, request) == before
    assert store.find(request) == before


def test_an_artifact_under_another_identity_is_not_used(store: Store) -> None:
    made(store, request_of())
    store.folder(request_of()).rename(store.folder(request_of(seed=8)))

    assert store.find(request_of(seed=8)) is None


@pytest.mark.parametrize("moment", ["fsync", "write", "rename"])
def test_a_commit_that_is_cut_short_leaves_no_artifact(
    store: Store, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    place, name = {
        "fsync": (artifacts_module, "sync"),
        "write": (artifacts_module, "write_atomically"),
        "rename": (Path, "rename"),
    }[moment]
    with monkeypatch.context() as patch:
        patch.setattr(place, name, cut)
        with pytest.raises(KeyboardInterrupt):
            made(store, request_of())

    assert not store.folder(request_of()).exists()
    assert store.find(request_of()) is None
    assert not list((store.home / "artifacts").glob("*/*/result.json"))


def test_the_result_is_written_last_and_after_the_files_are_on_the_disk(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    write = artifacts_module.write_atomically

    def spy(path: Path, text: str) -> None:
        assert sorted(synced) == ["a.txt", "b.txt"]
        write(path, text)

    monkeypatch.setattr(artifacts_module, "sync", lambda path: synced.append(path.name))
    monkeypatch.setattr(artifacts_module, "write_atomically", spy)

    made(store, request_of())

    assert synced[2:] == ["double"]


def test_a_summary_survives_the_file_exactly(store: Store) -> None:
    artifact = made(store, request_of(), summary={"accuracy": 0.1 + 0.2, "none": None, "l": [1]})

    assert store.find(request_of()) == artifact
    assert Artifact(**json.loads(json.dumps(artifact.to_json()))) == artifact


def test_work_is_kept_by_identity_until_it_is_discarded(store: Store) -> None:
    (store.work(request_of()) / "checkpoint.pt").write_text("half way")

    assert (store.work(request_of(label="again")) / "checkpoint.pt").exists()
    assert list(store.work(request_of(seed=8)).iterdir()) == []
    store.discard_work(request_of())
    assert list(store.work(request_of()).iterdir()) == []
