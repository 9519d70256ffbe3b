"""Everything that can be known of a run before it starts."""

import os
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from data.digest_cache import KnownDigests
from flows.checks import check as checks
from flows.checks.check import CheckError, check_run, checked
from flows.checks.needs import gib, home_problem
from flows.checks.numbers import fitting_enlarged_v, taken_from_u
from flows.experiment.run_request import RunRequest
from flows.experiment.run_spec import resolve
from tests.flows.drafting.photos import photo


@pytest.fixture
def look(project, tmp_path):
    """Check the project, after changes of its file."""

    def run(*replacements, thorough=True, home=None, **words):
        text = (project / "own.toml").read_text(encoding="utf-8")
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new, 1)
        (project / "own.toml").write_text(text, encoding="utf-8")
        request = RunRequest(experiment=str(project / "own.toml"), **words)
        return check_run(request, home or tmp_path / "home", KnownDigests(), thorough=thorough)

    return run


def copy(first, second):
    second.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(first, second)


def a_file(folder):
    return min(folder.rglob("*.png"))


def test_a_sound_project_has_no_problem_and_says_what_it_holds(look, tmp_path):
    found = look()
    assert (found.problems, found.warnings) == ((), ())
    names = [(role.name, role.kind, summary.files) for role, summary in found.found]
    assert names == [
        ("labelled", "labelled", 6),
        ("unlabelled", "unlabelled", 4),
        ("test", "test", 4),
        ("web", "source", 4),
    ]
    assert found.spec.experiment.target.classes == ("cat", "dog")
    assert found.needs.to_run == found.needs.trainings > 0
    assert found.needs.seconds > 0
    assert "timing this network" in found.needs.basis
    assert found.needs.bytes >= 18 * 32 * 32 * 3
    assert not (tmp_path / "home").exists()


def test_all_problems_come_at_once_with_their_lines(look, project, tmp_path):
    shutil.rmtree(project / "labelled" / "dog")
    photo(project / "labelled" / "dog" / "only.png", seed=99)
    copy(a_file(project / "test"), project / "unlabelled" / "leak.png")
    (tmp_path / "home").write_text("a file")
    found = look()
    assert found.spec is not None
    lines = [line.removeprefix(str(project)) for line in found.problems]
    assert lines[0].startswith("--home: expected a writable home folder")
    assert lines[1].startswith("/own.toml:2: target.labelled: expected at least 2 labelled files")
    assert lines[2].startswith("/own.toml:2: target.labelled: expected at least 5 labelled files")
    assert lines[3].startswith("/own.toml:4: target.test: expected no file of test in unlabelled")
    assert len(lines) == 4


def test_a_file_in_two_classes_is_a_problem_of_the_target_and_a_warning_of_a_source(look, project):
    copy(a_file(project / "web" / "cat"), project / "web" / "dog" / "twin.png")
    (warning,) = look().warnings
    assert warning.startswith("web: 1 in two classes with the same bytes, as ")
    copy(a_file(project / "labelled" / "cat"), project / "labelled" / "dog" / "twin.png")
    (problem,) = look().problems
    assert "target.labelled: expected every file in one class, found 1 in two classes" in problem


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("test", "labelled/cat", "target.test: expected no file of test in labelled"),
        ("test", "web/dog", "target.test: expected no file of test in web"),
        ("labelled", "web/dog", "sources[0].data: expected no file of web in labelled"),
    ],
)
def test_a_file_that_shows_the_answer_is_a_problem(look, project, first, second, expected):
    copy(a_file(project / first), project / second / "leak.png")
    assert any(expected in problem for problem in look().problems)


def test_what_a_run_refuses_a_check_refuses(look, project):
    """`resolve` is what runs: a check must not say less."""
    copy(a_file(project / "test"), project / "web" / "cat" / "leak.png")
    assert look().problems
    with pytest.raises(ValueError, match="Expected no file in both web and the target's test"):
        resolve(RunRequest(experiment=str(project / "own.toml")), KnownDigests())


def test_unlabelled_files_that_are_labelled_too_count_as_labelled(look, project):
    labelled = a_file(project / "labelled")
    copy(labelled, project / "unlabelled" / "again.png")
    assert (
        "unlabelled: 1 file is among the labelled ones too, and used as labelled."
        in look().warnings
    )
    shutil.rmtree(project / "unlabelled")
    copy(labelled, project / "unlabelled" / "again.png")
    (problem, *_) = look().problems
    assert "expected unlabelled files that are not labelled too, found none" in problem


def test_near_copies_are_warned_of(look, project):
    for folder, side in (("unlabelled", 40), ("labelled/dog", 48)):
        with Image.open(a_file(project / "test" / "cat")) as picture:
            picture.resize((side, side)).save(project / folder / "near.png")
    warnings = look().warnings
    assert [warning.partition(",")[0] for warning in warnings] == [
        "test: 1 photo looks like one of labelled",
        "test: 1 photo looks like one of unlabelled",
        "labelled: 1 photo looks like one of unlabelled",
    ]
    assert not look(thorough=False).warnings


def test_unreadable_files_are_a_warning_up_to_a_share(look, project):
    for number in range(24):
        photo(project / "unlabelled" / f"more{number}.png", seed=100 + number)
    (project / "unlabelled" / "empty.jpg").touch()
    (warning,) = look().warnings
    assert warning.startswith("unlabelled: 1 of 29 photos cannot be read and will be left out, as ")
    assert warning.endswith("empty.jpg (it is empty).")
    (problem,) = look(("side = 32", "side = 32\nmax_broken = 0.0")).problems
    assert "target.unlabelled: expected at most 0% photos that cannot be read, found 1" in problem


def test_a_photo_that_is_cut_off_is_seen_where_there_is_time(look, project):
    path = photo(project / "labelled" / "cat" / "cut.png", (200, 200))
    path.write_bytes(path.read_bytes()[:2000])
    assert look(thorough=False).problems == ()
    (problem,) = look().problems
    assert "cut.png" in problem


def test_pictures_that_show_nothing_are_a_problem_and_small_ones_a_warning(look, project):
    photo(project / "unlabelled" / "small.png", (16, 16), seed=50)
    (warning,) = look().warnings
    assert warning.startswith("unlabelled: 1 of 5 photos would be enlarged 2 times or more")
    Image.fromarray(np.zeros((1, 1, 3), np.uint8)).save(project / "web" / "cat" / "dot.png")
    (problem,) = look().problems
    assert "sources[0].data: expected photos of at least 8 pixels a side, found 1" in problem


def test_labels_out_of_balance_and_names_that_look_alike_are_warned_of(look, project):
    for number in range(7):
        photo(project / "labelled" / "cat" / f"x{number}.png", seed=200 + number)
    (project / "web" / "Cats").mkdir()
    photo(project / "web" / "Cats" / "1.png", seed=300)
    warnings = look().warnings
    assert "labelled files are unbalanced: 10 of cat, 3 of dog; label a few more" in warnings[0]
    assert warnings[1].startswith('web: the classes "Cats" and "cat" look alike')


def test_test_photos_of_a_class_without_a_label_are_warned_of(look, project):
    photo(project / "test/cow/99.png", seed=99)

    assert (
        'test: photos that are not scored, as none is labelled with their class: 1 of "cow"; label '
        "some, or move them out of the test folder."
    ) in look().warnings


def test_a_test_of_fewer_classes_is_a_problem_at_its_line(look, project):
    shutil.rmtree(project / "test" / "dog")
    (problem,) = look().problems
    assert ":4: target.test: expected the target's classes, found none of dog" in problem


def test_k_and_hyper_validation_are_counted_where_v_is_drawn(look, project):
    file = project / "own.toml"
    _, _, rest = file.read_text(encoding="utf-8").partition("[[sources]]")
    drawn = '[datasets.t]\nreader = "photo_folders"\nfolder = "all"\n[datasets.w]\n'
    drawn += 'reader = "photo_folders"\nfolder = "web"\n[target]\ndataset = "t"\n'
    drawn += "hyper_validation = 2\nk = [1, 500]\n[[sources]]"
    file.write_text(drawn + rest.replace('data = "web"', 'dataset = "w"'), encoding="utf-8")
    (project / "labelled").rename(project / "all_train")
    (project / "all").mkdir()
    (project / "all_train").rename(project / "all" / "train")
    (project / "test").rename(project / "all" / "test")
    (problem,) = look(data=str(project)).problems
    assert "target.k: expected at least 501 training photos a class (k = 500, and 1 for" in problem
    assert 'found 3 of "cat", 3 of "dog"' in problem
    (problem,) = look(("k = [1, 500]", "k = [2]"), data=str(project)).problems
    assert "expected photos that are left for U at k = 2, found none" in problem
    assert look(("k = [2]", "k = [1]"), data=str(project)).problems == ()


def test_an_enlarged_v_that_takes_all_of_u_is_warned_of(look):
    # V has three of each class: two more of each are all four.
    assert look(("enlarged_v = 1", "enlarged_v = 4")).warnings == ()
    (warning,) = look(("enlarged_v = 4", "enlarged_v = 5")).warnings
    assert warning.startswith("ensemble.enlarged_v = 5 of 2 classes may take all of the 4 ")
    assert warning.endswith("lower it to about 4.")


def test_labels_that_are_held_out_are_not_in_v(look):
    # Without two of six labelled photos, V has two of each class, and wants two more of each.
    held = ("[target]", "[target]\nhyper_validation = 2")
    assert look(held, ("enlarged_v = 1", "enlarged_v = 3")).warnings == ()
    (warning,) = look(("enlarged_v = 3", "enlarged_v = 4")).warnings
    assert warning.endswith("lower it to about 3.")


@given(st.lists(st.integers(1, 100), min_size=1, max_size=6), st.integers(1, 300))
def test_the_advised_enlarged_v_is_the_largest_that_leaves_half_of_u(in_v, unlabelled):
    fitting = fitting_enlarged_v(in_v, unlabelled)
    assert taken_from_u(in_v, fitting) <= unlabelled // 2 < taken_from_u(in_v, fitting + 1)


def test_unequal_classes_take_what_each_lacks():
    # Five of the second class become 35; the first has more than that.
    assert fitting_enlarged_v([100, 5], 60) == 35
    assert taken_from_u([100, 5], 35) == 30
    assert taken_from_u([100, 5], 110) == 115


def test_a_home_is_looked_at_and_nothing_is_written(look, tmp_path, monkeypatch):
    assert home_problem(tmp_path / "a" / "b") is None
    assert not (tmp_path / "a").exists()
    monkeypatch.setattr(os, "access", lambda *_: False)
    (problem,) = look().problems
    assert problem.startswith("--home: expected a writable home folder, found ")


def test_room_that_is_missing_is_a_problem(look, monkeypatch):
    monkeypatch.setattr("flows.checks.needs.array_bytes", lambda *_: 2**60)
    (problem,) = look().problems
    assert "GiB on the disk, found" in problem
    assert (gib(2**20), gib(3 * 2**29)) == ("1 MiB", "1.5 GiB")


def test_a_run_that_fails_its_checks_does_not_start(look, project, tmp_path):
    copy(a_file(project / "test"), project / "unlabelled" / "leak.png")
    request = RunRequest(experiment=str(project / "own.toml"))
    with pytest.raises(CheckError, match="expected no file of test in unlabelled"):
        checked(request, tmp_path / "home", KnownDigests())


def test_very_many_files_are_sampled(look, project, monkeypatch):
    monkeypatch.setattr(checks, "HEADERS", 2)
    found = look()
    assert {summary.looked_at for _, summary in found.found} == {2}
