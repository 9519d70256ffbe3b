"""Problems of an experiment file: all at once, each at its line or option."""

import re

import pytest

from flows.experiment.experiment_file import load_experiment
from flows.experiment.toml_file import SettingsError
from flows.experiment.toml_lines import line_numbers
from tests.flows.experiment.own_files import DIGITS, ONE_LINE, SMALLEST, line, message, place


def test_everything_wrong_is_said_at_once_in_the_order_of_the_lines(own):
    document = DIGITS
    for old, new in (
        ("seed = 0", "seed = -1"),
        ('dataset = "svhn"', 'dataset = "sv"'),
        ("steps = 5000", "stepz = 5000"),
        ('[target]\ndataset = "mnist"\n', "[target]\n"),
        ('method = "joint"', 'method = "joins"'),
        ("hidden = 64", 'hidden = "64"'),
    ):
        document = document.replace(old, new, 1)
    with pytest.raises(SettingsError) as caught:
        own(DIGITS, document, options={("target", "draws"): ("--draws", 0)})
    lines = caught.value.lines
    places = [
        ("seed = -1", "seed"),
        ("[target]", "target.dataset"),
        ("stepz = 5000", "training.stepz"),
        ('method = "joins"', "baselines[2].method"),
        ('hidden = "64"', "scales.demo.network.settings.hidden"),
    ]
    assert [text.partition(": expected")[0] for text in lines] == [
        "--draws: target.draws",
        *(f"own.toml:{line(text, document)}: {key}" for text, key in places),
    ]
    assert all(ONE_LINE.fullmatch(text) for text in lines[1:])


def test_what_depends_on_other_parts_is_said_at_once_too(own):
    document = DIGITS
    for old, new in (
        ('dataset = "svhn"', 'dataset = "sv"'),
        ('name = "Joint"', 'name = "Fine-tune"'),
        ("r = 3", "r = 55"),
        ('method = "gradmix_vat"', 'method = "gradmix_vat"\nsettings = { beta = 3.0, eta = 1 }'),
    ):
        document = document.replace(old, new, 1)
    with pytest.raises(SettingsError) as caught:
        own(DIGITS, document)
    assert [text.split(": ")[1] for text in caught.value.lines] == [
        "sources[0].dataset",
        f"{place('Fine-tune')}.name",
        "ensemble.r",
        "final[2].settings.beta",
    ]


def test_no_source_with_the_targets_classes_is_found_at_the_sources(own):
    text = message(own, 'classes = ["5", "6", "7", "8", "9"]', 'classes = ["5", "6"]')
    first = DIGITS[: DIGITS.index("[[sources]]")].count("\n") + 1
    assert text.startswith(f"own.toml:{first}: sources: expected a source with the target's label")
    assert "(5, 6, 7, 8, 9), found S1 (partial): 5, 6; S2 (disjoint): 0, 1, 2, 3, 4" in text


def test_a_grid_that_a_scale_makes_too_small_names_the_scale(own):
    text = message(own, "r = 3", "r = 5")
    assert text.startswith(f"own.toml:{line('r = 3')}: ensemble.r: expected at most 4, the cells")
    assert "found 5" in text


def test_a_key_that_is_missing_at_the_top_has_no_line(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(SMALLEST.replace("[datasets.", "[dataset."), encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load_experiment(str(path))
    (text,) = caught.value.lines
    assert text.startswith(f"{path}:{line('[dataset.mnist]', path.read_text())}: dataset: expected")
    assert text.endswith("did you mean datasets?")
    path.write_text(SMALLEST.partition("[[sources]]")[0], encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load_experiment(str(path))
    assert caught.value.lines == [
        f"{path}: {key}: expected a value, found none; add the key."
        for key in ("sources", "target")
    ]


@pytest.mark.parametrize(
    ("key", "option", "value", "expected"),
    [
        (("seed",), "--seed", -1, "--seed: seed: expected a value of at least 0, found -1"),
        (("target", "draws"), "--draws", 0, "--draws: target.draws: expected a value of at le"),
        (("target", "k"), "--k", [3, 0], "--k: target.k[1]: expected a value of at least 1, fo"),
        (("target", "k"), "--k", [3, 3], "--k: target.k[1]: expected no value twice, found 3 a"),
        (("target", "k"), "--k", [], "--k: target.k: expected an array of length at least 1, f"),
    ],
)
def test_a_wrong_option_is_called_by_its_name(key, option, value, expected):
    text = message(load_experiment, "digits", "demo", {key: (option, value)})
    assert text.startswith(expected)


def test_an_option_is_not_blamed_for_a_value_beside_it(own):
    options = {("target", "draws"): ("--draws", 2)}
    text = message(own, "k = [2, 3, 4, 5]", "k = [0]", options=options)
    assert text.startswith("own.toml:")


def test_an_unknown_scale_names_those_there_are(own):
    text = message(own, "seed = 0", "seed = 0", "smal")
    assert ": scales: expected one of paper, small, demo, found" in text
    assert text.endswith('found "smal"; did you mean small?')


@pytest.mark.parametrize(
    ("scales", "found"),
    [("scales = 3", "3"), ("scales = [1]", "[1]"), ("[scales]\npaper = 3", "3")],
)
def test_scales_that_are_no_tables_are_refused(tmp_path, scales, found):
    path = tmp_path / "own.toml"
    path.write_text(f"{scales}\n", encoding="utf-8")
    text = message(load_experiment, str(path), "paper")
    assert re.search(rf": scales(\.paper)?: expected a table.*, found {re.escape(found)}; ", text)


def test_a_misspelt_table_of_scales_is_named_first(own):
    document = DIGITS.replace("[scales.", "[scale.")
    text = message(own, DIGITS, document)
    assert ": scale: expected one of " in text
    assert text.endswith('found "scale"; did you mean scales?')


def test_an_unknown_experiment_is_refused():
    assert message(load_experiment, "digit", "demo") == (
        "experiment: expected one of actions, digits, the path of a .toml file, "
        'found "digit"; did you mean digits?'
    )
    assert message(load_experiment, "", "demo").endswith('found ""; correct the name.')


def test_a_file_whose_suffix_was_left_out_is_named(tmp_path, monkeypatch):
    (tmp_path / "photos.toml").touch()
    monkeypatch.chdir(tmp_path)
    expected = "experiment: expected the path of a .toml file, found "
    assert message(load_experiment, "photos", None) == (f'{expected}"photos"; name photos.toml.')
    assert "photos.toml" not in message(load_experiment, "photo", None)


def test_a_missing_file_a_folder_and_a_path_that_cannot_be_are_refused(tmp_path):
    missing, folder = tmp_path / "missing.toml", tmp_path / "folder.toml"
    folder.mkdir()
    assert message(load_experiment, str(missing), "demo") == (
        f"{missing}: expected an experiment file, found none; check the path."
    )
    assert message(load_experiment, str(folder), "demo") == (
        f"{folder}: expected an experiment file, found a folder; name a file in it."
    )
    assert "expected a file that can be read" in message(load_experiment, "a\0.toml", "demo")
    assert "expected a file that can be read" in message(
        load_experiment, f"{'a' * 5000}.toml", "demo"
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"name = 'x'\nseed = '\xff'\n", ":2: expected text in UTF-8, found the byte 0xff; save"),
        (b"name = 'x'\n\nseed 0\n", ":3: expected TOML, found an error: "),
        (b"name = 'x'\nname = 'y'\n", ":2: expected TOML, found an error: Cannot overwrite"),
        (b"name = 'x'\nk = [1,\n2\n\n", ":3: expected TOML, found an error: "),
        (b"k = " + b"[" * 5000, ": expected TOML, found brackets nested too deep; correct the f"),
        (b"k = " + b"9" * 5000, ": expected TOML, found an error: Exceeds the limit"),
        (b"\0", ":1: expected TOML, found an error: "),
    ],
)
def test_a_file_that_is_not_toml_is_refused_at_its_line(tmp_path, content, expected):
    path = tmp_path / "own.toml"
    path.write_bytes(content)
    text = message(load_experiment, str(path), "demo")
    assert text.startswith(f"{path}{expected}")
    assert text.endswith(".")


def test_a_path_with_a_line_end_still_gives_one_line(tmp_path):
    message(load_experiment, str(tmp_path / "a\nb.toml"), "demo")


def test_every_line_number_of_the_packaged_file_holds_its_key():
    lines = DIGITS.split("\n")
    for key, number in line_numbers(DIGITS).items():
        names = [part for part in key if isinstance(part, str)]
        assert names[-1] in lines[number - 1]
