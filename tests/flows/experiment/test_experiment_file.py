"""Experiment files: what is read, and where a message says that it is wrong."""

import re
import tomllib
from importlib.resources import files

import pytest

from flows.experiment.experiment_file import load_experiment
from flows.experiment.toml_file import SettingsError, experiment_names
from flows.experiment.toml_lines import line_numbers

DIGITS = (files("flows") / "experiments" / "digits.toml").read_text(encoding="utf-8")
ONE_LINE = re.compile(r"own\.toml(:[0-9]+)?: [^ ].*: expected .+, found .+; .+[.?]")

# Data, and nothing else.
SMALLEST = """
[datasets.mnist]
reader = "mnist"
embedded = "handwritten"

[datasets.svhn]
reader = "svhn"
embedded = "street"

[[sources]]
dataset = "svhn"
classes = "target"

[[sources]]
dataset = "mnist"
classes = ["0", "1"]

[target]
dataset = "mnist"
classes = ["5", "6"]
hyper_validation = 20
k = [2]
"""
CLIPS = """
[datasets.cooking]
reader = "clip_folders"

[datasets.photos]
reader = "photo_folders"

[[sources]]
name = "photos"
dataset = "photos"

[target]
dataset = "cooking"
hyper_validation = 20
k = [2]
"""


@pytest.fixture
def smallest(tmp_path):
    """Loads a file of the user's, `my kitchen.toml`."""

    def load(text=SMALLEST, scale=None):
        path = tmp_path / "my kitchen.toml"
        path.write_text(text, encoding="utf-8")
        return load_experiment(str(path), scale)

    return load


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Loads the digits file with a part of it replaced."""
    monkeypatch.chdir(tmp_path)

    def load(old, new, scale="paper", options=None):
        assert old in DIGITS
        (tmp_path / "own.toml").write_text(DIGITS.replace(old, new, 1), encoding="utf-8")
        return load_experiment("own.toml", scale, options)

    return load


def message(load, *arguments, **options):
    with pytest.raises(SettingsError) as caught:
        load(*arguments, **options)
    text = str(caught.value)
    assert len(text.splitlines()) == 1
    return text


def line(text, document=DIGITS):
    """The line of the only place where a text stands."""
    assert document.count(text) == 1
    return document[: document.index(text)].count("\n") + 1


def place(row):
    """The key of a baseline."""
    names = [baseline["name"] for baseline in tomllib.loads(DIGITS)["baselines"]]
    return f"baselines[{names.index(row)}]"


@pytest.mark.parametrize("scale", ["demo", "small", "paper"])
def test_the_packaged_experiment_loads_at_every_scale(scale):
    assert "digits" in experiment_names()
    experiment = load_experiment("digits", scale)
    assert (experiment.name, experiment.scale) == ("digits", scale)
    assert experiment.ensemble.r == 3
    assert experiment.rows == load_experiment("digits", "paper").rows


def test_a_scale_overrides_key_by_key():
    small, paper = load_experiment("digits", "small"), load_experiment("digits", "paper")
    assert (small.target.k, small.target.draws) == ((2, 5), 10)
    assert small.target.hyper_validation == paper.target.hyper_validation == 1000
    assert small.network.settings["widths"] != paper.network.settings["widths"]
    assert small.network.settings["hidden"] == paper.network.settings["hidden"]


def test_an_option_overrides_file_and_scale():
    options = {("target", "k"): ("--k", [2, 4]), ("seed",): ("--seed", 7)}
    experiment = load_experiment("digits", "small", options)
    assert (experiment.target.k, experiment.seed, experiment.target.draws) == ((2, 4), 7, 10)


def test_an_array_in_a_scale_replaces_the_whole_array(own):
    rows = '[[scales.paper.final]]\nname = "Only"\nlabels = "hard"\n'
    experiment = own("[scales.paper]\n", rows)
    assert [final.name for final in experiment.final] == ["Only"]


def test_a_list_of_rows_may_be_empty(own):
    lists = "final = []\nbaselines = []\noutputs = { figures = [3] }\n"
    experiment = own("[scales.paper]\n", f"[scales.paper]\n{lists}")
    assert experiment.rows == ["GradMix"]


def test_a_file_of_another_editor_is_read(own, tmp_path):
    own("seed = 0", "seed = 5")
    content = (tmp_path / "own.toml").read_text(encoding="utf-8").replace("\n", "\r\n")
    (tmp_path / "own.toml").write_bytes(b"\xef\xbb\xbf" + content.encode())
    assert load_experiment("own.toml", "demo").seed == 5


def test_a_wrong_value_is_found_at_its_line_in_the_table_above(own):
    assert message(own, "hidden = 128", 'hidden = "128"') == (
        f"own.toml:{line('settings = { widths')}: network.settings.hidden: "
        'expected an integer, found "128"; remove the quotes.'
    )


def test_a_wrong_value_is_found_at_its_line_in_the_scale(own):
    assert message(own, "hidden = 64", "hidden = -1", "demo") == (
        f"own.toml:{line('hidden = 64')}: scales.demo.network.settings.hidden: "
        "expected a value that is not negative, found -1; correct the value."
    )


def test_a_scale_that_is_not_asked_for_is_checked_too(own):
    text = message(own, "hidden = 64", "hidden = -1", "paper")
    assert text.startswith(f"own.toml:{line('hidden = 64')}: scales.demo.network.settings.hidden: ")


def test_a_value_that_the_scale_leaves_alone_keeps_its_line(own):
    text = message(own, "momentum = 0.9", "momentum = 2", "demo")
    assert text.startswith(f"own.toml:{line('momentum = 0.9')}: training.momentum: expected")


def test_a_value_in_an_array_over_several_lines_has_the_line_of_its_key(own):
    text = message(own, "k = [2, 3, 4, 5]", "k = [\n  2,\n  0, # zero\n]")
    assert text.startswith(f"own.toml:{line('k = [2, 3, 4, 5]')}: target.k[1]: expected")


@pytest.mark.parametrize(
    ("old", "new", "key", "at"),
    [
        ('classes = ["0", ', 'classes = ["5", ', "sources[1].classes", 'classes = ["0", '),
        ('dataset = "svhn"', 'dataset = "sv"', "sources[0].dataset", 'dataset = "svhn"'),
        ("r = 3", "r = 55", "ensemble.r", "r = 3"),
        (
            'name = "Joint"',
            'name = "Fine-tune"',
            f"{place('Fine-tune')}.name",
            'name = "Fine-tune"',
        ),
        ('method = "mdda"', 'method = "j"', f"{place('MDDA')}.method", 'method = "mdda"'),
        (
            "{ adaptive = false }",
            "{ beta = -1 }",
            f"{place('GradMix w/o AdaLR')}.settings.beta",
            "{ adaptive =",
        ),
        ("beta = [5, 6,", "beta = [-5, 6,", "first_stage.beta[0]", "beta = [5, 6,"),
        ("[training]", "[trainning]", "trainning", "[training]"),
        ("steps = 5000", "stepz = 5000", "training.stepz", "steps = 5000"),
        (
            "[scales.demo.training]",
            "[scales.demo.run]",
            "scales.demo.run",
            "[scales.demo.training]",
        ),
        ("[scales.paper]", "[scales.paper.x]", "scales.paper.x", "[scales.paper]"),
        ("hidden = 64", "hide = 1", "scales.demo.network.settings.hide", "hidden = 64"),
        (
            "widths = [8, 8, 16, 16]",
            'widths = [8, 8, 16, "q"]',
            "scales.demo.network.settings.widths[3]",
            "widths = [8, 8, 16, 16]",
        ),
        ('title = "SVHN', 'scale = "demo"\ntitle = "SVHN', "scale", 'title = "SVHN'),
        ('[target]\ndataset = "mnist"\n', "[target]\n", "target.dataset", "[target]"),
        ("{ 2 = [94.62", "{ two = [94.62", "final[0].paper.two", "paper = { 2 = [94.62"),
    ],
)
def test_what_is_wrong_is_found_at_its_key_and_line(own, old, new, key, at):
    for scale in ("paper", "demo"):
        text = message(own, old, new, scale)
        assert text.startswith(f"own.toml:{line(at)}: {key}: expected ")
        assert ONE_LINE.fullmatch(text)


def test_a_file_of_data_alone_is_complete(smallest):
    experiment = smallest()
    assert (experiment.name, experiment.title, experiment.scale) == (
        "my-kitchen",
        "my-kitchen",
        "full",
    )
    assert [source.name for source in experiment.sources] == ["S1", "S2"]
    assert experiment.rows == ["GradMix", "GradMix w/ hard label"]
    assert experiment.images is None
    assert smallest(scale="full") == experiment
    with pytest.raises(SettingsError, match='scales: expected one of full, found "small"'):
        smallest(scale="small")


def test_defaults_follow_what_the_data_are(smallest):
    experiment = smallest(CLIPS)
    assert [source.name for source in experiment.sources] == ["photos"]
    assert experiment.sources[0].classes == experiment.target.classes == "all"
    assert experiment.images is not None
    assert experiment.outputs.tables == (3,)
    chosen = smallest(CLIPS + "[images]\nside = 96\n[outputs]\ntables = [2]\n")
    assert (chosen.images.side, chosen.outputs.tables) == (96, (2,))


@pytest.mark.parametrize(
    ("scales", "chosen"),
    [(["demo", "paper"], "demo"), (["paper"], "paper"), (["small", "paper"], None)],
)
def test_without_a_name_the_usual_scale_runs_or_the_only_one(smallest, scales, chosen):
    text = SMALLEST + "".join(f"[scales.{name}]\n" for name in scales)
    if chosen is not None:
        assert smallest(text).scale == chosen
        return
    with pytest.raises(
        SettingsError, match=r"^--scale: expected one of small, paper, found none; ch"
    ):
        smallest(text)


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
