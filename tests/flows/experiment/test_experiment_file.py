"""Experiment files: scales, options, defaults, and lines of wrong values."""

import pytest

from flows.experiment.experiment_file import load_experiment
from flows.experiment.toml_file import SettingsError, experiment_names
from tests.flows.experiment.own_files import ONE_LINE, SMALLEST, line, message, place

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
    assert (small.search, paper.search) == (False, True)
    assert (small.training.learning_rates, len(paper.training.learning_rates)) == ((0.02,), 3)
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
