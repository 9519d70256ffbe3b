"""Where the files of a run lie, from what its record says of them."""

from types import SimpleNamespace

import pytest

from flows.labelling.files import experiment_folder, file_roots, find_file, shown_path


def record(command, files=None):
    datasets = {"kitchen": {"folder": "photos/kitchen"}}
    settings = {"target": {"dataset": "kitchen"}, "datasets": datasets}
    labelled = None if files is None else SimpleNamespace(files=files)
    return SimpleNamespace(command=command, settings=settings, labelled=labelled)


@pytest.fixture
def kitchen(tmp_path, monkeypatch):
    for name in ("kitchen/labelled/cup/a.png", "kitchen/new/b.png", "photos/kitchen/c.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "my.toml").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_names_start_where_the_data_folder_says(kitchen):
    roots = file_roots(record("gradmix reproduce digits --data ."))
    assert find_file("c.png", roots) == kitchen / "photos" / "kitchen" / "c.png"
    assert file_roots(record("gradmix reproduce digits --scale demo")) == []


def test_names_of_one_s_own_files_start_where_the_record_says(kitchen):
    roots = file_roots(record("gradmix run my.toml", str(kitchen / "kitchen")))
    assert find_file("new/b.png", roots) == kitchen / "kitchen" / "new" / "b.png"
    assert experiment_folder(record("gradmix run my.toml")) == kitchen
    for gone in ("gradmix run other.toml", "gradmix reproduce digits", "gradmix"):
        assert experiment_folder(record(gone)) is None


def test_nothing_outside_is_found(kitchen):
    (kitchen / "secret.txt").touch()
    roots = [kitchen / "photos"]
    assert find_file("../secret.txt", roots) is None
    assert find_file(str(kitchen / "secret.txt"), roots) is None
    assert find_file("kitchen", roots) is None


def test_paths_are_relative_to_the_table_where_they_lie_below_it(kitchen):
    roots = [kitchen / "photos"]
    assert shown_path("kitchen/c.png", roots, kitchen) == "photos/kitchen/c.png"
    elsewhere = shown_path("kitchen/c.png", roots, kitchen / "kitchen")
    assert elsewhere == str(kitchen / "photos" / "kitchen" / "c.png")
    assert shown_path("mnist/train:3", roots, kitchen) == "mnist/train:3"
