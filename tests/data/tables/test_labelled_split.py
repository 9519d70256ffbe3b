"""Splits of a target with given labelled files."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import DataError
from data.reader import Samples
from data.tables.labelled_split import FOLDS, REJECTED, HeldOut, split_labelled
from data.tables.split_file import load_split, save_split

CLASSES = ("cup", "pan", "pot")


def named(count):
    names = tuple(f"{number}.png" for number in range(count))
    return Samples(names=names, clips=names, groups=names)


def split(labels, held_out=HeldOut(), samples=None, classes=CLASSES, **words):  # noqa: B008
    numbers = np.array(labels, np.int64)
    samples = samples or named(len(labels))
    return split_labelled(
        numbers, CLASSES, classes, held_out=held_out, samples=samples, **{"seed": 0, **words}
    )


LABELLED = st.lists(st.integers(2, 9), min_size=3, max_size=3).map(
    lambda counts: [*np.repeat(range(3), counts).tolist(), -1, -1]
)


@given(LABELLED, st.integers(0, 3))
def test_every_label_is_held_out_once_and_by_one_fold(labels, seed):
    folds = [split(labels, HeldOut(fold=fold), seed=seed) for fold in range(FOLDS)]
    held = np.concatenate([fold.hyper_validation for fold in folds])
    whole = np.flatnonzero(np.array(labels) >= 0)
    assert sorted(held.tolist()) == whole.tolist()
    for fold in folds:
        assert sorted([*fold.v, *fold.hyper_validation]) == whole.tolist()
        assert fold.u.tolist() == [len(labels) - 2, len(labels) - 1]
        # Each class keeps its share: a fold takes at most n / FOLDS of its n samples, rounded up.
        for label in range(3):
            taken = sum(labels[row] == label for row in fold.hyper_validation)
            assert taken <= -(-labels.count(label) // FOLDS)


def test_v_is_exactly_what_is_labelled():
    found = split([0, 1, 2, -1, 2])
    assert (found.v.tolist(), found.hyper_validation.tolist()) == ([0, 1, 2, 4], [])
    assert found.u.tolist() == [3]
    assert found.labels == {0: 0, 1: 1, 2: 2, 4: 2}


def test_labels_are_positions_in_the_targets_classes_and_others_have_no_role():
    found = split([0, 1, 2, -1], classes=("pot", "cup"))
    assert found.labels == {0: 1, 2: 0}
    assert found.u.tolist() == [3]


@pytest.mark.parametrize(
    ("held_out", "by_class"),
    [
        (HeldOut(count=4), [2, 1, 1]),
        (HeldOut(share=0.5), [2, 2, 4]),
        (HeldOut(share=0.01), [1] * 3),
    ],
)
def test_a_number_and_a_share_are_held_out_class_by_class(held_out, by_class):
    labels = [0] * 4 + [1] * 4 + [2] * 8 + [-1]
    held = split(labels, held_out).hyper_validation
    assert [sum(labels[row] == label for row in held) for label in range(3)] == by_class


def test_corrections_join_v_and_are_never_held_out():
    labels = [0, 0, 1, 1, 2, 2, -1, -1, -1]
    corrections = {"6.png": "pan", "7.png": REJECTED, "0.png": "pan"}
    for fold in range(FOLDS):
        before = split(labels, HeldOut(fold=fold), classes=("cup", "pan", "pot"))
        after = split(labels, HeldOut(fold=fold), corrections={"6.png": "pan", "7.png": REJECTED})
        assert after.hyper_validation.tolist() == before.hyper_validation.tolist()
        assert 6 in after.v
    found = split(labels, corrections=corrections)
    assert found.labels[6] == 1
    assert found.labels[0] == 1
    assert found.u.tolist() == [8]


def test_recordings_are_held_out_whole():
    # Three clips of two recordings, each of two frames.
    clips = tuple(f"{number // 2}.avi" for number in range(14))
    groups = tuple("g" if number < 4 else f"{number // 2}" for number in range(14))
    samples = Samples(names=tuple(map(str, range(14))), clips=clips, groups=groups)
    labels = [0] * 6 + [1] * 4 + [2] * 4
    for fold in range(FOLDS):
        found = split([*labels, -1], HeldOut(fold=fold), _with_one_more(samples))
        assert len({row in found.hyper_validation for row in range(4)}) == 1
        assert set(np.bincount(found.hyper_validation // 2, minlength=7)) <= {0, 2}


def _with_one_more(samples):
    return Samples(
        **{name: (*values, "u") for name, values in vars(samples).items() if values is not None}
    )


@pytest.mark.parametrize(
    ("labels", "held_out", "message"),
    [
        ([0, 1, 2], HeldOut(), "expected unlabelled samples|Expected unlabelled samples"),
        ([0, 1, 1, 2, 2, -1], HeldOut(fold=0), "class 'cup' .1 held out"),
        ([0, 0, 1, 1, -1], HeldOut(), "at least 1 labelled sample of class 'pot'"),
    ],
)
def test_what_does_not_suffice_is_refused(labels, held_out, message):
    with pytest.raises(DataError, match=message):
        split(labels, held_out)


def test_a_split_with_its_own_labels_is_read_as_it_was_written(tmp_path):
    found = split([0, 1, 2, -1, 2], HeldOut(count=0))
    save_split(found, tmp_path / "split.parquet")
    again = load_split(tmp_path / "split.parquet")
    assert again.labels == found.labels
    assert [again.v.tolist(), again.u.tolist()] == [found.v.tolist(), found.u.tolist()]
