"""`gradmix predict` on the command line: what MODEL may be, what it says, how it refuses."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from deploy.cli import main
from flows.cli.commands.predict import by_class, summary
from flows.cli.model_argument import model_folder
from tasks.models.description import ModelError
from tasks.prediction.labelling import Labelled, Timing
from tests.tasks.conftest import toy
from tests.tasks.models.conftest import model_inputs, single

__all__ = ["model_inputs", "single", "toy"]


@pytest.fixture
def home(single: Path, tmp_path: Path) -> Path:
    """A home folder with two reproductions' models, the second made later."""
    home = tmp_path / "home"
    for name, made in (
        ("old-demo-1", "2026-01-01T00:00:00"),
        ("new-demo-2", "2026-02-01T00:00:00"),
    ):
        folder = home / "reproductions" / name / "model"
        shutil.copytree(single, folder)
        content = json.loads((folder / "model.json").read_text())
        content["lineage"]["made"] = made
        (folder / "model.json").write_text(json.dumps(content))
    (home / "gradmix-home.json").write_text('{"format": 1, "made_by": "0"}\n')
    return home


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.new("RGB", (40, 30), (200, 100, 50)).save(folder / "one.jpg")
    return folder


def run(*words: object):
    return CliRunner().invoke(main, [str(word) for word in words])


def test_champion_is_the_newest_model_of_the_home_and_a_name_its_own(home: Path) -> None:
    newest, old = (home / "reproductions" / n / "model" for n in ("new-demo-2", "old-demo-1"))
    for model, folder in (("champion", newest), ("old-demo-1", old), (str(old), old)):
        with model_folder(model, home) as found:
            assert found == folder


@pytest.mark.parametrize("model", ["nothing", "../home", "m/../../x"])
def test_what_is_no_model_is_refused_in_one_line(home: Path, model: str) -> None:
    with (
        pytest.raises(ModelError, match="expected a model folder, champion, the name of a"),
        model_folder(model, home),
    ):
        pass


def test_a_home_without_a_model_has_no_champion(tmp_path: Path) -> None:
    with (
        pytest.raises(ModelError, match="found none with a model"),
        model_folder("champion", tmp_path / "home"),
    ):
        pass


def test_files_are_labelled_and_counted(home: Path, photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels.csv"
    found = run("predict", "champion", photo, "--out", out, "--home", home, "--device", "cpu")
    assert found.exit_code == 0, found.output
    assert found.output.startswith("1 file labelled in ")
    header, row = out.read_text().splitlines()
    assert header == "path,label,confidence,runner_up,runner_up_confidence,agreement"
    assert row.startswith(f"{photo / 'one.jpg'},")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--out", "labels.txt"], "--out: expected a file named *.csv or *.parquet"),
        (["--out", "labels.csv", "--device", "abacus"], "--device: expected a device"),
        (["--out", "labels.csv", "--batch-size", "0"], "--batch-size"),
    ],
)
def test_mistakes_cost_one_line_and_code_2(
    home: Path, photo: Path, words: list[str], text: str, monkeypatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    found = run("predict", "champion", photo, "--home", home, *words)
    assert found.exit_code == 2
    assert text in found.output
    assert len(found.output.splitlines()) == 1
    assert not (tmp_path / "labels.csv").exists()


def test_nothing_that_can_be_read_is_code_2(home: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    found = run("predict", "champion", bad, "--home", home, "--out", tmp_path / "labels.csv")
    assert found.exit_code == 2
    assert len(found.output.splitlines()) == 1
    assert "found 1 that cannot" in found.output


def test_a_foreign_folder_called_runs_is_in_nobodys_way(
    single: Path, photo: Path, tmp_path: Path, monkeypatch
) -> None:
    (tmp_path / "runs" / "detect").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert run("predict", single, photo, "--out", "labels.csv").exit_code == 0


def test_the_summary_says_what_was_left_out(tmp_path: Path) -> None:
    found = Labelled(
        files=1200,
        skipped=[{"path": f"{n}.png", "reason": "no picture"} for n in range(12)],
        skipped_table=tmp_path / "labels.skipped.csv",
        reused=512,
        timing=Timing(whole_s=10.0, network_s=9.5),
        counts={"cat": 200, "dog": 1000},
    )
    lines = summary(found, {"files that are not photos": 3}, tmp_path / "labels.csv", 61.0)
    assert lines[:5] == [
        f"1,200 files labelled in 1 min 01 s, 95% of the reading in the network: "
        f"{tmp_path / 'labels.csv'}",
        "Classes: dog 1,000, cat 200.",
        "512 of them were labelled before.",
        "Ignored: files that are not photos (3).",
        f"12 files left out ({tmp_path / 'labels.skipped.csv'}):",
    ]
    assert lines[-1].startswith("Next: look at the least confident rows of ")
    assert len(lines) == 5 + 10 + 1


def test_of_many_classes_the_most_frequent_are_counted() -> None:
    counts = {f"c{number}": number for number in range(1, 15)}
    assert by_class(counts).startswith("c14 14, c13 13, ")
    assert by_class(counts).endswith(", c3 3 and 2 others")
