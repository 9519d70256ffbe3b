import dataclasses
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from data.errors import DataError
from data.reader import Samples
from data.tables.split import Split, class_rows, split_target
from data.tables.split_file import load_split, save_split

CLASSES = tuple("0123456789")
TARGET = tuple("56789")
LABELS = np.random.default_rng(0).integers(0, 10, 600)


def split(hyper_validation=52, k=3, seed=0, draw=0, labels=LABELS):
    return split_target(
        labels,
        CLASSES,
        TARGET,
        hyper_validation=hyper_validation,
        v_per_class=k,
        seed=seed,
        draw=draw,
    )


def same(first, second):
    return all(np.array_equal(getattr(first, r), getattr(second, r)) for r in ROLES)


ROLES = ("hyper_validation", "v", "u")
SETTINGS = {
    "hyper_validation": st.integers(0, 100),
    "k": st.integers(1, 10),
    "seed": st.integers(0, 2**32),
    "draw": st.integers(0, 50),
}


@given(**SETTINGS)
def test_every_target_row_has_exactly_one_role_and_no_other_row_has_any(**settings):
    found = split(**settings)
    together = np.concatenate([found.hyper_validation, found.v, found.u])
    assert np.array_equal(np.sort(together), np.flatnonzero(LABELS >= 5))


@given(**SETTINGS)
def test_v_has_k_of_each_class_and_hyper_validation_is_balanced(**settings):
    found = split(**settings)
    assert np.bincount(LABELS[found.v], minlength=10)[5:].tolist() == [settings["k"]] * 5
    counts = np.bincount(LABELS[found.hyper_validation], minlength=10)[5:]
    assert counts.sum() == settings["hyper_validation"]
    assert counts.max() - counts.min() <= 1


@given(**SETTINGS)
def test_v_is_nested_in_k(**settings):
    smaller = split(**settings)
    larger = split(**settings | {"k": settings["k"] + 1})
    assert set(smaller.v) < set(larger.v)
    assert np.array_equal(smaller.hyper_validation, larger.hyper_validation)


@given(**SETTINGS)
def test_the_same_settings_give_the_same_split_sorted(**settings):
    found = split(**settings)
    assert same(found, split(**settings))
    for role in ROLES:
        rows = getattr(found, role)
        assert rows.dtype == np.int64
        assert (np.diff(rows) > 0).all()


def test_hyper_validation_depends_on_the_seed_alone():
    first = split(seed=1, draw=0)
    assert np.array_equal(first.hyper_validation, split(seed=1, draw=9, k=7).hyper_validation)
    assert not np.array_equal(first.hyper_validation, split(seed=2, draw=0).hyper_validation)


def test_each_draw_and_each_seed_has_a_v_of_its_own():
    drawn = {
        tuple(split(hyper_validation=0, seed=s, draw=d).v.tolist())
        for s in range(3)
        for d in range(5)
    }
    assert len(drawn) == 15


def test_each_row_is_drawn_about_equally_often():
    # 5 of 20 rows over 400 draws: 100 times each, +- 4 standard deviations of 8.7.
    labels = np.full(25, 5)
    counts = np.zeros(25)
    for draw in range(400):
        found = split_target(
            labels, CLASSES, "5", hyper_validation=5, v_per_class=5, seed=0, draw=draw
        )
        counts[found.v] += 1
    drawn = counts[counts > 0]
    assert len(drawn) == 20
    assert (np.abs(drawn - 100) < 35).all()


def test_the_first_classes_get_the_odd_rows_of_hyper_validation():
    counts = np.bincount(LABELS[split(hyper_validation=13).hyper_validation], minlength=10)
    assert counts.tolist() == [0] * 5 + [3, 3, 3, 2, 2]


def test_a_tensor_of_labels_gives_the_same_split():
    assert same(split(), split(labels=torch.from_numpy(LABELS)))


def test_a_class_with_too_few_rows_is_named_with_both_counts():
    labels = np.array([5] * 20 + [6] * 7 + [7] * 20 + [8] * 20 + [9] * 20)
    with pytest.raises(
        DataError,
        match=r"at least 8 training samples of class '6' \(5 for hyper-validation, 3 for V\), "
        "found 7",
    ):
        split(hyper_validation=25, k=3, labels=labels)


def test_exactly_enough_rows_leave_no_u():
    labels = np.repeat(np.arange(5, 10), 8)
    found = split(hyper_validation=25, k=3, labels=labels)
    assert len(found.u) == 0
    assert len(found.v) == 15


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hyper_validation": -1}, "Expected hyper_validation >= 0, found -1"),
        ({"k": 0}, "Expected v_per_class >= 1, found 0"),
        ({"seed": -5}, "Expected seed >= 0, found -5"),
        ({"draw": -1}, "Expected draw >= 0, found -1"),
    ],
)
def test_numbers_out_of_range_are_refused(change, message):
    with pytest.raises(DataError, match=message):
        split(**change)


def test_class_rows_are_in_the_order_of_the_data():
    labels = np.array([2, 0, 1, 2, 0])
    assert class_rows(labels, ("a", "b", "c"), ("c", "a")).tolist() == [0, 1, 3, 4]
    assert class_rows(torch.from_numpy(labels), ("a", "b", "c"), ["b"]).tolist() == [2]


@pytest.mark.parametrize(
    ("wanted", "found"), [(("a", "x"), "a, x"), (("a", "a"), "a, a"), ((), "none")]
)
def test_unknown_repeated_or_no_classes_are_refused(wanted, found):
    with pytest.raises(
        DataError, match=f"Expected distinct classes among a, b, found {found}: correct"
    ):
        class_rows(np.array([0, 1]), ("a", "b"), wanted)


@given(**SETTINGS)
def test_reading_what_was_written_gives_the_same_split(**settings):
    found = split(**settings)
    with tempfile.TemporaryDirectory() as folder:
        first, second = Path(folder) / "first.parquet", Path(folder) / "second.parquet"
        save_split(found, first)
        loaded = load_split(first)
        save_split(loaded, second)
        assert same(found, loaded)
        assert first.read_bytes() == second.read_bytes()


def test_the_table_is_one_row_a_sample_in_order(tmp_path):
    found = Split(hyper_validation=np.array([4]), v=np.array([1, 9]), u=np.array([0]))
    save_split(found, tmp_path / "split.parquet")
    table = pq.read_table(tmp_path / "split.parquet")
    assert table.to_pydict() == {
        "sample_id": [0, 1, 4, 9],
        "role": ["U", "V", "hyper_validation", "V"],
    }


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"sample_id": [1], "role": ["test"]}, "found test"),
        ({"sample_id": [1], "role": [None]}, "found None"),
        ({"sample_id": [None, 2], "role": ["U", "V"]}, "found no sample_id"),
        ({"sample_id": [1, 1], "role": ["U", "V"]}, "found 2 rows for 1 samples"),
        ({"sample": [1], "role": ["U"]}, "expected the columns sample_id int64, role string"),
        ({"sample_id": [1.0], "role": ["U"]}, "found sample_id double, role string"),
    ],
)
def test_a_table_with_other_content_is_refused(tmp_path, columns, message):
    path = tmp_path / "split.parquet"
    table = pa.table(columns)
    if "role" in columns:
        role = table.schema.get_field_index("role")
        table = table.set_column(role, "role", table.column("role").cast(pa.string()))
    pq.write_table(table, path)
    with pytest.raises(DataError, match=message):
        load_split(path)


@pytest.mark.parametrize("body", [None, b"", b"PAR1 but not really PAR1"])
def test_a_missing_or_damaged_file_is_one_line(tmp_path, body):
    path = tmp_path / "split.parquet"
    if body is not None:
        path.write_bytes(body)
    with pytest.raises(DataError, match="Expected a Parquet file of sample roles") as caught:
        load_split(path)
    assert "\n" not in str(caught.value)


# Five target classes of 12 recordings, each of 1 to 3 clips of 4 frames.
RECORDINGS = [(c, g) for c in range(5) for g in range(12)]
OF_FRAMES = [
    (c, f"{c}-{g}", f"{c}-{g}-{n}")
    for c, g in RECORDINGS
    for n in range(1 + g % 3)
    for _ in range(4)
]
FRAME_LABELS = np.array([c for c, _, _ in OF_FRAMES])
FRAMES = Samples(
    names=tuple(map(str, range(len(OF_FRAMES)))),
    clips=tuple(clip for _, _, clip in OF_FRAMES),
    groups=tuple(group for _, group, _ in OF_FRAMES),
)


def split_clips(hyper_validation=20, k=3, seed=0, draw=0, samples=FRAMES):
    return split_target(
        FRAME_LABELS,
        tuple("abcde"),
        tuple("abcde"),
        hyper_validation=hyper_validation,
        v_per_class=k,
        seed=seed,
        draw=draw,
        samples=samples,
    )


def texts(rows, values):
    return {values[row] for row in rows}


@given(hyper_validation=st.integers(0, 40), k=st.integers(1, 8), seed=st.integers(0, 99))
def test_the_frames_of_a_clip_have_one_role_and_every_frame_has_one(**settings):
    found = split_clips(**settings)
    together = np.concatenate([found.hyper_validation, found.v, found.u])
    assert np.array_equal(np.sort(together), np.arange(len(FRAME_LABELS)))
    clips = [texts(getattr(found, role), FRAMES.clips) for role in ROLES]
    assert sum(map(len, clips)) == len(set(FRAMES.clips))


@given(hyper_validation=st.integers(0, 40), k=st.integers(1, 8), seed=st.integers(0, 99))
def test_no_recording_is_trained_on_and_validated_with(**settings):
    found = split_clips(**settings)
    held = texts(found.hyper_validation, FRAMES.groups)
    assert not held & texts(np.concatenate([found.v, found.u]), FRAMES.groups)


@given(hyper_validation=st.integers(1, 40), k=st.integers(1, 8), draw=st.integers(0, 9))
def test_v_has_k_clips_of_each_class_and_hyper_validation_no_less_than_asked(**settings):
    found = split_clips(**settings)
    for label in range(5):
        of_class = label == FRAME_LABELS
        v, held = (
            texts(rows[of_class[rows]], FRAMES.clips) for rows in (found.v, found.hyper_validation)
        )
        assert len(v) == settings["k"]
        asked = settings["hyper_validation"] // 5 + (label < settings["hyper_validation"] % 5)
        # The last recording may add up to two more clips.
        assert asked <= len(held) <= asked + 2


def test_clips_of_v_are_nested_in_k_and_differ_between_draws():
    assert set(split_clips(k=3).v) < set(split_clips(k=4).v)
    first, second = split_clips(draw=0), split_clips(draw=1)
    assert np.array_equal(first.hyper_validation, second.hyper_validation)
    assert set(first.v) != set(second.v)


def test_a_recording_in_two_classes_is_refused():
    groups = tuple("0-4" if group == "1-4" else group for group in FRAMES.groups)
    with pytest.raises(DataError, match="every recording in one class, found 0-4 in b and a"):
        split_clips(samples=dataclasses.replace(FRAMES, groups=groups))


def test_a_class_with_too_few_clips_is_named():
    with pytest.raises(
        DataError, match=r"class 'a' \(\d+ for hyper-validation, 23 for V\), found 24"
    ):
        split_clips(k=23)
