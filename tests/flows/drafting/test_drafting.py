"""Experiment files from folders: which folder is what, and what is written."""

import tomllib
from pathlib import Path

import pytest

from data.errors import DataError
from flows.drafting.draft import draft, named_trunk, out_of, refuse_taken
from flows.drafting.recognise import Given, recognise
from flows.experiment.experiment_file import load_experiment
from flows.experiment.toml_file import SettingsError
from tests.flows.drafting.photos import photo


def grow(root, *paths):
    for number, path in enumerate(paths):
        photo(root / path, seed=number)
    return root


USUAL = (
    "labelled/cat/1.png",
    "labelled/cat/2.png",
    "labelled/dog/1.png",
    "labelled/dog/2.png",
    "unlabelled/1.png",
    "web/cat/1.png",
    "web/dog/1.png",
)


def names(layout, root):
    places = [layout.labelled, *layout.unlabelled, layout.test, *layout.sources]
    return [str(place.relative_to(root)) if place else None for place in places]


def test_folders_are_told_by_their_names(tmp_path):
    root = grow(tmp_path, *USUAL, "test/cat/1.png", "sources/shop/cat/1.png", "misc/1.png")
    (root / "corrections.csv").write_text("path,decision,label\nunlabelled/1.png,confirm,cat\n")
    layout = recognise(Given(folders=(root,)))
    assert names(layout, root) == ["labelled", "unlabelled", "test", "sources/shop", "web"]
    assert layout.corrections == root / "corrections.csv"
    assert layout.unused == (root / "misc",)


@pytest.mark.parametrize(
    ("before", "after"),
    [("labelled", "Train"), ("unlabelled", "Un-Labeled"), ("unlabelled", "photos of today")],
)
def test_other_spellings_are_known_and_the_only_flat_folder_is_u(tmp_path, before, after):
    root = grow(tmp_path, *USUAL)
    (root / before).rename(root / after)
    expected = [after if name == before else name for name in ("labelled", "unlabelled")]
    assert names(recognise(Given(folders=(root,))), root) == [*expected, None, "web"]


def test_tables_are_roles_too(tmp_path):
    root = grow(tmp_path, *USUAL)
    (root / "labelled").rename(root / ".files")
    (root / "labelled.csv").write_text("path,label\n.files/cat/1.png,cat\n.files/dog/1.png,dog\n")
    assert names(recognise(Given(folders=(root,))), root)[0] == "labelled.csv"


def test_what_is_named_is_taken_as_it_is(tmp_path):
    root = grow(tmp_path, *USUAL, "shop/cat/1.png")
    given = Given(
        folders=(root,),
        target=root / "web",
        unlabelled=(root / "shop",),
        sources=(root / "labelled",),
    )
    assert names(recognise(given), root) == ["web", "shop", None, "labelled"]
    several = Given(folders=(root / "web", root / "unlabelled"), target=root / "labelled")
    assert names(recognise(several), root) == ["labelled", "unlabelled", None, "web"]


@pytest.mark.parametrize(
    ("paths", "given", "expected"),
    [
        (USUAL[4:], {}, "Expected a folder `labelled` .*, found .*web: say which with --target"),
        (["1.png"], {}, "found no folder with a folder per class"),
        (
            [*USUAL, "train/cat/1.png"],
            {},
            "Expected one folder for --target, found .*, .*: say which",
        ),
        ([*USUAL[:4], *USUAL[5:]], {}, "a folder `unlabelled` .*, found none: name it with --unl"),
        (
            [*USUAL[:4], *USUAL[5:], "a/1.png", "b/1.png"],
            {},
            "one folder of unlabelled files, found .*a, .*b: say which with --unlabelled",
        ),
        (USUAL[:5], {}, "Expected a labelled source.*, found none: name it with --source"),
        (USUAL, {"target": "nowhere"}, "--target: expected a folder or a table at .*, found noth"),
        (USUAL, {"test": "empty"}, "--test: expected photos or clips at .*empty, found none"),
    ],
)
def test_what_is_not_clear_is_one_line_with_the_option_that_says_it(
    tmp_path, paths, given, expected
):
    root = grow(tmp_path, *paths)
    (root / "empty").mkdir()
    named = {option: root / place for option, place in given.items()}
    with pytest.raises(DataError, match=expected) as caught:
        recognise(Given(folders=(root,), **named))
    assert len(caught.value.lines) == 1
    assert "\n" not in str(caught.value)


def test_the_file_says_what_was_found_and_loads(tmp_path):
    root = grow(tmp_path / "my kitchen", *USUAL, "test/cat/1.png", "test/dog/1.png")
    out = tmp_path / "kitchen.toml"
    made = draft(Given(folders=(root,)), out)
    assert made.path == out
    document = tomllib.loads(out.read_text(encoding="utf-8"))
    assert document["target"] == {
        "labelled": "my kitchen/labelled",
        "unlabelled": "my kitchen/unlabelled",
        "test": "my kitchen/test",
    }
    assert document["sources"] == [{"data": "my kitchen/web"}]
    # The photos have 32 pixels a side.
    assert document["images"] == {"side": 32}
    # V has two of each class, and half of one unlabelled photo is none.
    assert document["ensemble"] == {"enlarged_v": 2, "if_none_agree": "soft"}
    experiment = load_experiment(str(out))
    assert experiment.target.hyper_validation == "cross"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kitchen.toml", "my kitchen"]


def test_every_comment_that_shows_a_default_is_a_setting(tmp_path):
    """With all of them uncommented the file loads, and says the same."""
    root = grow(tmp_path, *USUAL)
    plain = draft(Given(folders=(root,)), tmp_path / "plain.toml").path
    text = plain.read_text(encoding="utf-8")
    lines = [
        line.removeprefix("# ") if " = " in line.partition("  #")[0] or line[:3] == "# [" else line
        for line in text.splitlines()
        if not line.startswith(("# test", "# corrections"))
    ]
    (tmp_path / "spelled.toml").write_text("\n".join(lines), encoding="utf-8")
    before, after = (
        load_experiment(str(tmp_path / f"{name}.toml")) for name in ("plain", "spelled")
    )
    aside = {"name", "title"}
    assert after.model_dump(exclude=aside) == before.model_dump(exclude=aside)
    assert (tmp_path / "spelled.toml").read_text().count("\n# [") == 0


def test_an_example_is_quick(tmp_path):
    root = grow(tmp_path, *USUAL)
    experiment = load_experiment(
        str(draft(Given(folders=(root,)), tmp_path / "q.toml", quick=True).path)
    )
    assert experiment.training.steps < 1000
    assert len(experiment.first_stage.cells) >= experiment.ensemble.r


def test_with_a_pretrained_network_its_features_are_trained_on(tmp_path):
    root = grow(tmp_path, *USUAL)
    (tmp_path / "own.pt").touch()
    named = named_trunk("resnet18", str(tmp_path / "own.pt"))
    made = draft(Given(folders=(root,)), tmp_path / "p.toml", named, quick=True).path
    network = tomllib.loads(made.read_text(encoding="utf-8"))["network"]
    weights = str(tmp_path / "own.pt")
    assert network == {"trunk": "resnet18", "weights": weights, "frozen": "all"}
    assert load_experiment(str(made)).network.frozen == "all"
    assert "gradmix init DIR --trunk" not in made.read_text(encoding="utf-8")


def test_without_one_a_small_network_is_trained_and_the_other_way_is_said(tmp_path):
    root = grow(tmp_path, *USUAL)
    made = draft(Given(folders=(root,)), tmp_path / "p.toml").path
    network = load_experiment(str(made)).network
    assert (network.trunk, network.frozen) == ("convnet", "")
    words = "gradmix init DIR --trunk efficientnet_lite0 --weights imagenet"
    assert f"#   {words}\n" in made.read_text(encoding="utf-8")
    assert named_trunk("efficientnet_lite0", "imagenet").weights == "imagenet"


def test_a_pretrained_network_may_have_larger_images(tmp_path):
    (tmp_path / "shop").mkdir()
    for path in USUAL:
        photo(tmp_path / path, size=(150, 120))
    of = named_trunk("timm:test_vit", "pretrained")
    sides = [
        load_experiment(
            str(draft(Given(folders=(tmp_path,)), tmp_path / f"{i}.toml", given).path)
        ).images.side
        for i, given in enumerate([None, of])
    ]
    assert sides == [64, 128]


@pytest.mark.parametrize(
    ("trunk", "weights", "expected"),
    [
        (None, "imagenet", "init: expected --trunk with --weights, found none"),
        ("resnet18", None, "init: expected --weights with --trunk, found none"),
        ("resnet18", "none", "init: expected --weights with --trunk, found none"),
    ],
)
def test_a_network_is_named_with_its_weights(trunk, weights, expected):
    with pytest.raises(SettingsError, match=expected):
        named_trunk(trunk, weights)
    assert named_trunk(None, None) is None


def test_no_file_is_lost(tmp_path):
    taken = tmp_path / "a.toml"
    taken.write_text("mine")
    with pytest.raises(SettingsError, match=r"--out: expected no file at .*a.toml, found one"):
        refuse_taken(taken, force=False)
    refuse_taken(taken, force=True)
    for name, expected in (("a.txt", "ends in .toml"), ("folder.toml", "found the folder")):
        (tmp_path / "folder.toml").mkdir(exist_ok=True)
        with pytest.raises(SettingsError, match=expected):
            refuse_taken(tmp_path / name, force=True)
    assert out_of(Given(folders=(Path("x/kitchen"),)), None) == Path("kitchen.toml")
    assert out_of(Given(), None) == Path("experiment.toml")
