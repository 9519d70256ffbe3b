"""Held-out samples: round trip, and inconsistent tables."""

import numpy as np
import pytest

from data.errors import DataError
from data.tables.held_out import HeldOut, read_held_out, write_held_out


def table(**changes):
    scores = np.array([[[0.9, 0.1], [np.nan, np.nan]], [[0.2, 0.8], [0.4, 0.6]]], np.float32)
    values = {
        "sample_id": np.array([3, 8]),
        "label": np.array([0, 1]),
        "member_probabilities": scores,
        "classes": ("cup", "pan"),
        "members": ("a", "b"),
        "clip": None,
    }
    return HeldOut(**values | changes)


@pytest.mark.parametrize("clip", [None, ["one.mp4", "two.mp4"]])
def test_what_is_written_is_read_back(tmp_path, clip):
    written = table(clip=clip)
    write_held_out(written, tmp_path / "h.parquet")
    found = read_held_out(tmp_path / "h.parquet")
    for name, value in vars(written).items():
        np.testing.assert_equal(getattr(found, name), value)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"label": np.array([0, 2])}, "labels in 0..1, found others"),
        ({"label": np.array([0])}, "expected 2 labels"),
        ({"members": ("a",)}, "expected 2 labels and scores"),
        ({"member_probabilities": np.full((2, 2, 2), np.nan, np.float32)}, "scored in full"),
        (
            {"member_probabilities": np.array([[[np.nan, 1], [0, 1]]] * 2, np.float32)},
            "scored in full",
        ),
    ],
)
def test_columns_that_do_not_belong_together_are_refused(changes, found):
    with pytest.raises(DataError, match=found):
        table(**changes)


def test_a_damaged_table_is_one_line(tmp_path):
    (tmp_path / "h.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match="Expected a Parquet file of held-out samples"):
        read_held_out(tmp_path / "h.parquet")
