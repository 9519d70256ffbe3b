import dataclasses
import json
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import DataError
from data.tables.pseudo_labels import (
    SCHEMA,
    Member,
    PseudoLabels,
    min_confidence,
    read_pseudo_labels,
    write_pseudo_labels,
)

COLUMNS = (
    "sample_id",
    "source",
    "clip",
    "hard_label",
    "agreed",
    "min_confidence",
    "soft_label",
    "member_probabilities",
)


def table(n=4, r=3, c=5, seed=0, run_ids=True, clips=False):
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(c), size=(r, n)).astype(np.float32)
    agreed = rng.random(n) < 0.5
    return PseudoLabels(
        sample_id=rng.permutation(10 * n)[:n],
        source=[f"mnist/train:{row}" for row in range(n)],
        hard_label=np.where(agreed, rng.integers(0, c, n), -1),
        agreed=agreed,
        min_confidence=min_confidence(probabilities),
        soft_label=probabilities.mean(0),
        member_probabilities=np.ascontiguousarray(probabilities.transpose(1, 0, 2)),
        classes=tuple(f"class {label}" for label in range(c)),
        threshold=0.8,
        members=tuple(Member(identity=f"{i:x}", run_id="r" if run_ids else None) for i in range(r)),
        digests={"target": "ab", "split": "cd"},
        clip=[f"clip {row // 2}.avi" for row in range(n)] if clips else None,
    )


@given(
    n=st.integers(0, 9),
    r=st.integers(1, 4),
    c=st.integers(2, 6),
    seed=st.integers(0, 99),
    run_ids=st.booleans(),
    clips=st.booleans(),
)
def test_reading_what_was_written_gives_the_same_table_and_bytes(n, r, c, seed, run_ids, clips):
    written = table(n, r, c, seed, run_ids, clips and n > 0)
    with tempfile.TemporaryDirectory() as folder:
        first, second = Path(folder) / "first.parquet", Path(folder) / "second.parquet"
        write_pseudo_labels(written, first)
        read = read_pseudo_labels(first)
        write_pseudo_labels(read, second)
        assert first.read_bytes() == second.read_bytes()
    for name in COLUMNS:
        assert np.array_equal(getattr(read, name), getattr(written, name)), name
        if name not in {"source", "clip"}:
            assert getattr(read, name).dtype == getattr(written, name).dtype
            assert getattr(read, name).flags.writeable
    for name in ("classes", "threshold", "members", "digests"):
        assert getattr(read, name) == getattr(written, name)


def test_any_parquet_reader_sees_labels_and_gaps(tmp_path):
    written = table(n=6)
    write_pseudo_labels(written, tmp_path / "p.parquet")
    frame = pd.read_parquet(tmp_path / "p.parquet")
    assert tuple(frame.columns) == COLUMNS
    assert (frame["hard_label"].isna() == ~written.agreed).all()
    assert np.array_equal(frame["soft_label"][2], written.soft_label[2])
    assert np.array_equal(frame["member_probabilities"][5][1], written.member_probabilities[5, 1])


def test_a_frame_names_its_clip_and_an_image_has_none(tmp_path):
    for clips in (True, False):
        write_pseudo_labels(table(n=4, clips=clips), tmp_path / "p.parquet")
        found = pd.read_parquet(tmp_path / "p.parquet")["clip"]
        if clips:
            assert found.tolist() == ["clip 0.avi", "clip 0.avi", "clip 1.avi", "clip 1.avi"]
        else:
            assert found.isna().all()


def test_the_schema_names_where_the_labels_came_from(tmp_path):
    write_pseudo_labels(table(r=2, c=2), tmp_path / "p.parquet")
    metadata = pq.read_schema(tmp_path / "p.parquet").metadata
    assert json.loads(metadata[b"gradmix"]) == {
        "format": 2,
        "classes": ["class 0", "class 1"],
        "threshold": 0.8,
        "r": 2,
        "members": [{"identity": "0", "run_id": "r"}, {"identity": "1", "run_id": "r"}],
        "digests": {"target": "ab", "split": "cd"},
    }


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        # All vote for class 1: the smallest of .6, .9, .7.
        ([[0.4, 0.6, 0.0], [0.1, 0.9, 0.0], [0.2, 0.7, 0.1]], 0.6),
        # Two of three vote for class 0; the third gives it .3.
        ([[0.8, 0.2, 0.0], [0.3, 0.7, 0.0], [0.6, 0.1, 0.3]], 0.3),
        # One vote each for 0 and 2; the means are .4 and .5, so class 2: the smaller of .35, .65.
        ([[0.6, 0.05, 0.35], [0.2, 0.15, 0.65]], 0.35),
        # One vote each for 0 and 1; means .35 and .35: the first class, smaller of .5 and .2.
        ([[0.5, 0.2, 0.3], [0.2, 0.5, 0.3]], 0.2),
        # Class 1 has the largest mean but no vote, so it is not the voted class.
        ([[0.55, 0.45, 0.0], [0.0, 0.45, 0.55]], 0.0),
    ],
)
def test_min_confidence_is_the_least_sure_members_on_the_voted_class(members, expected):
    probabilities = np.array(members, np.float32)[:, np.newaxis]
    assert min_confidence(probabilities) == pytest.approx([expected])


@given(st.integers(0, 200))
def test_min_confidence_does_not_depend_on_the_order_of_members(seed):
    probabilities = np.random.default_rng(seed).dirichlet(np.ones(3), size=(4, 6))
    assert np.allclose(min_confidence(probabilities), min_confidence(probabilities[::-1]))


NAN = float("nan")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"source": ["a"]}, r"expected source of shape \[4\], found \[1\]"),
        ({"members": ()}, r"expected member_probabilities of shape \[4, 0, 5\]"),
        ({"soft_label": np.ones((4, 3))}, r"soft_label of shape \[4, 5\], found \[4, 3\]"),
        ({"min_confidence": np.array([0.1, NAN, 0, 0])}, "every min_confidence in 0..1"),
        ({"soft_label": np.full((4, 5), 1.1)}, "every soft_label in 0..1"),
        ({"member_probabilities": np.full((4, 3, 5), -0.1)}, "every member_probabilities in"),
        (
            {"hard_label": np.array([5, -1, -1, -1])},
            r"every hard_label in 0\.\.4 or -1, found -1\.\.5",
        ),
        (
            {"hard_label": np.array([0, -1, 1, 1]), "agreed": np.array([1, 1, 1, 1], bool)},
            "found -1 with agreed=True in row 1",
        ),
        (
            {"hard_label": np.array([0, 1, 1, 3]), "agreed": np.array([1, 1, 1, 0], bool)},
            "found 3 with agreed=False in row 3",
        ),
    ],
)
def test_columns_that_do_not_belong_together_are_refused(change, message):
    with pytest.raises(DataError, match=message):
        dataclasses.replace(table(), **change)


def rewrite(path, change):
    written = pq.read_table(path)
    pq.write_table(change(written), path)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({}, "expected the metadata 'gradmix'"),
        ({b"gradmix": b"{"}, "found none or damaged metadata"),
        ({b"gradmix": b'{"format": 2}'}, "found none or damaged metadata"),
        ({b"gradmix": b"[]"}, "found none or damaged metadata"),
        ({b"gradmix": b'{"format": 7}'}, "expected pseudo-label format 2, found 7"),
    ],
)
def test_missing_damaged_or_other_metadata_are_refused(tmp_path, metadata, message):
    path = tmp_path / "p.parquet"
    write_pseudo_labels(table(), path)
    rewrite(path, lambda t: t.replace_schema_metadata(metadata))
    with pytest.raises(DataError, match=message) as caught:
        read_pseudo_labels(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.drop_columns(["agreed"]),
        lambda t: t.rename_columns(["id", *COLUMNS[1:]]),
        lambda t: t.append_column("more", pa.array([1] * 4)),
        lambda t: t.set_column(3, "hard_label", pa.array([1.0] * 4)),
    ],
)
def test_other_columns_are_refused(tmp_path, change):
    path = tmp_path / "p.parquet"
    write_pseudo_labels(table(), path)
    rewrite(path, change)
    with pytest.raises(
        DataError, match="expected the columns sample_id int64, source string, clip"
    ):
        read_pseudo_labels(path)


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        (
            "soft_label",
            [[0.2] * 5, [0.2] * 5, [0.2] * 4, [0.2] * 6],
            "found lists of other lengths",
        ),
        ("soft_label", [[0.2] * 5, [0.2] * 5, None, [0.2] * 5], "found lists of other lengths"),
        ("member_probabilities", [[[0.2] * 5] * 2] * 4, "found lists of other lengths"),
        ("sample_id", [1, 2, None, 4], "a sample_id in every row, found none in 1 row"),
        (
            "clip",
            ["a", None, "b", "b"],
            "a clip in every row or in none, found none in 1",
        ),
        (
            "agreed",
            [True, False, None, True],
            "a agreed in every row, found none in 1 row",
        ),
    ],
)
def test_ragged_or_empty_values_are_refused(tmp_path, column, values, message):
    path = tmp_path / "p.parquet"
    write_pseudo_labels(table(), path)
    position = COLUMNS.index(column)
    new = pa.array(values, SCHEMA.field(column).type)
    rewrite(path, lambda t: t.set_column(position, SCHEMA.field(column), new))
    with pytest.raises(DataError, match=message) as caught:
        read_pseudo_labels(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(DataError, match="Expected a Parquet file of pseudo-labels at"):
        read_pseudo_labels(tmp_path / "gone.parquet")
