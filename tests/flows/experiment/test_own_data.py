"""The short form of an experiment file: paths of one's own files in place of data sets."""

from pathlib import Path

import pytest
from PIL import Image

from flows.experiment.experiment_file import load_experiment
from flows.experiment.toml_file import SettingsError

SHORT = """
[target]
labelled = "kitchen/labelled"
unlabelled = "kitchen/unlabelled"

[[sources]]
data = "web"
"""


@pytest.fixture
def folder(tmp_path):
    """Photos of two classes, some without a label, and a source."""
    for place in ("kitchen/labelled/cup", "kitchen/labelled/pan", "web/cup", "web/pan"):
        put(tmp_path / place / "one.png")
    put(tmp_path / "kitchen" / "unlabelled" / "deep" / "one.png")
    return tmp_path


def put(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".png":
        Image.new("RGB", (4, 4)).save(path)
    else:
        path.write_text("a clip")


def load(folder, text=SHORT, data=None):
    path = folder / "kitchen.toml"
    path.write_text(text, encoding="utf-8")
    return load_experiment(str(path), data=data)


def test_paths_stand_for_data_sets_and_every_other_key_has_a_default(folder):
    found = load(folder)
    assert found.name == "kitchen"
    assert {name: (one.reader, one.folder) for name, one in found.datasets.items()} == {
        "target": ("photos", "kitchen/labelled"),
        "web": ("photos", "web"),
    }
    assert (found.target.dataset, found.target.unlabelled) == ("target", ("kitchen/unlabelled",))
    assert (found.sources[0].name, found.sources[0].dataset) == ("web", "web")
    assert found.target.cross_fitted
    assert not found.target.has_test
    assert found.shape == (3, 64, 64)


@pytest.mark.parametrize(
    ("written", "settings"),
    [
        ("", {"v_trains_trunk": True}),
        ("beta = [5]", {"v_trains_trunk": True}),
        ('settings = { solver = "uniform" }', {"v_trains_trunk": True, "solver": "uniform"}),
        ("settings = { v_trains_trunk = false }", {"v_trains_trunk": False}),
    ],
)
def test_v_trains_the_trunk_unless_the_file_says_otherwise(folder, written, settings):
    found = load(folder, f"{SHORT}\n[first_stage]\n{written}\n")
    assert found.first_stage.settings == settings


def test_v_does_not_train_the_trunk_of_a_packaged_experiment():
    assert load_experiment("digits", "demo").first_stage.settings == {}


@pytest.mark.parametrize("trains", [True, False])
def test_a_final_row_may_say_whether_v_trains_the_trunk(folder, trains):
    row = f'name = "last"\nlabels = "hard"\nsettings = {{ v_trains_trunk = {str(trains).lower()} }}'
    found = load(folder, f"{SHORT}\n[[final]]\n{row}\n")
    assert found.final[0].settings == {"v_trains_trunk": trains}


@pytest.mark.parametrize("written", ["first_stage = 3", "first_stage = { settings = 3 }"])
def test_a_first_stage_that_is_no_table_is_refused(folder, written):
    with pytest.raises(SettingsError, match="first_stage"):
        load(folder, f"{written}\n{SHORT}")


def test_clips_are_found_and_make_the_table_of_clips(folder):
    for photo in folder.rglob("kitchen/**/*.png"):
        put(photo.with_suffix(".mp4"))
        photo.unlink()
    found = load(folder)
    assert found.datasets["target"].reader == "clips"
    assert found.outputs.tables == (3,)


def test_the_data_folder_takes_the_place_of_the_files_folder(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    text = SHORT.replace("kitchen/", "../kitchen/", 2).replace('"web"', f'"{folder}/web"')
    found = load(elsewhere, text, data=str(folder / "web"))
    assert found.datasets["target"].folder == "../kitchen/labelled"


def test_two_sources_of_one_path_share_a_data_set_and_have_names_that_differ(folder):
    again = '\n[[sources]]\ndata = "web"\nclasses = ["cup"]\n'
    found = load(folder, SHORT + again)
    assert [source.name for source in found.sources] == ["web", "web-2"]
    assert list(found.datasets) == ["target", "web"]


@pytest.mark.parametrize("held_out", ["3", "0.25", '"cross"'])
def test_hyper_validation_is_a_number_a_share_or_cross(folder, held_out):
    text = SHORT.replace("[[sources", f"hyper_validation = {held_out}\n[[sources")
    assert str(load(folder, text).target.hyper_validation) == held_out.strip('"')


def test_everything_that_is_wrong_is_said_at_once_with_its_line(folder):
    (folder / "web").rename(folder / "net")
    text = SHORT.replace("kitchen/unlabelled", "kitchen/other").replace(
        "[[sources", "hyper_validation = 1.5\n[[sources"
    )
    with pytest.raises(SettingsError) as caught:
        load(folder, text)
    lines = [line.removeprefix(f"{folder}/kitchen.toml:") for line in caught.value.lines]
    nothing = f"expected a folder or a table of files, found nothing at {folder}"
    assert lines == [
        f"4: target.unlabelled[0]: {nothing}/kitchen/other; correct the path.",
        "6: target.hyper_validation: expected a value less than 1, found 1.5; correct the value.",
        f"8: sources[0].data: {nothing}/web; correct the path.",
    ]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("[[sources", "k = [3]\n[[sources", "target.k: expected no k, because V is the labelled"),
        ("[[sources", "draws = 2\n[[sources", "target.draws: expected no draws, because V is the"),
        ('unlabelled = "kitchen/unlabelled"', "", "target.unlabelled: expected unlabelled = PATH"),
        ("labelled =", "labeled =", "did you mean labelled?"),
        ('data = "web"', 'data = "web"\ndataset = "x"', "expected data or dataset, found both"),
        ("[target]", '[target]\ndataset = "x"', "expected labelled or dataset, found both"),
        ("[[sources", 'hyper_validation = "all"\n[[sources', "expected one of cross, found"),
    ],
)
def test_what_does_not_fit_is_refused(folder, old, new, expected):
    with pytest.raises(SettingsError) as caught:
        load(folder, SHORT.replace(old, new, 1))
    assert expected in str(caught.value)


def test_photos_and_clips_in_one_folder_are_refused(folder):
    put(folder / "web" / "cup" / "one.mp4")
    with pytest.raises(SettingsError, match=r"sources\[0\]\.data: expected either photos or clips"):
        load(folder)


def test_files_to_label_need_labelled_ones(folder):
    text = Path(__file__).parents[1].joinpath("own.toml").read_text(encoding="utf-8")
    drawn = text.replace("draws = 1", 'draws = 1\nunlabelled = ["kitchen"]\nhyper = 1', 1)
    with pytest.raises(SettingsError, match="expected labelled = PATH beside it"):
        load(folder, drawn.replace("hyper = 1", ""))
