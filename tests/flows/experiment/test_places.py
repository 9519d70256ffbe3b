"""An unknown key is told where it belongs, if that is one or two other tables."""

from pathlib import Path

import pytest

from flows.experiment.experiment_file import load_experiment
from flows.experiment.toml_file import SettingsError

OWN = """
[target]
labelled = "labelled"
unlabelled = "unlabelled"
[[sources]]
data = "web"
"""


def told(folder: Path, top: str = "", below: str = "") -> list[str]:
    (folder / "own.toml").write_text(f"{top}\n{OWN}{below}\n", encoding="utf-8")
    with pytest.raises(SettingsError) as error:
        load_experiment(str(folder / "own.toml"))
    lines = [line for line in str(error.value).splitlines() if " found " in line]
    return [f"{line.split(': ')[1]}; {line.rpartition('; ')[2]}" for line in lines]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("labelled/cat", "labelled/dog", "web/cat", "web/dog", "unlabelled"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "1.png").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("top", "below", "expected"),
    [
        ("", "[images]\nsteps = 9", "images.steps; steps belongs to [training]."),
        ("steps = 9", "", "steps; steps belongs to [training]."),
        ("", "[training]\nseed = 1", "training.seed; seed belongs to the top of the file."),
        ("", "[training]\nreader = 1", "training.reader; reader belongs to [datasets.NAME]."),
        (
            "",
            "[training]\nbeta = [1]",
            "training.beta; beta belongs to [first_stage].",
        ),
        (
            "",
            "[training]\ndraws = 2",
            "training.draws; draws belongs to [target].",
        ),
        (
            "",
            "[scales.demo.images]\nbatch_size = 2",
            "scales.demo.images.batch_size; batch_size belongs to [training].",
        ),
    ],
)
def test_a_key_of_one_other_table_names_that_table(folder, top, below, expected) -> None:
    assert told(folder, top, below) == [expected]


def test_a_key_of_two_tables_names_both(folder) -> None:
    assert told(folder, below="[training]\nclasses = 1") == [
        "training.classes; classes belongs to [[sources]] or [target]."
    ]


@pytest.mark.parametrize(
    ("below", "expected"),
    [
        # `settings` is a key of four tables.
        ("[training]\nsettings = {}", "training.settings; remove it or correct its name."),
        ("[training]\nstpes = 9", "training.stpes; did you mean steps?"),
        # The settings of a method are no table of the file.
        (
            '[[baselines]]\nname = "J"\nmethod = "joint"\nsettings = {steps = 3}',
            "baselines[0].settings.steps; remove it or correct its name.",
        ),
    ],
)
def test_other_keys_are_told_no_table(folder, below, expected) -> None:
    assert told(folder, below=below) == [expected]
