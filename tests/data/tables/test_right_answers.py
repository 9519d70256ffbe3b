"""Right answers of models: round trip, and an invalid file."""

import numpy as np
import pytest

from data.errors import DataError
from data.tables.right_answers import read_right_answers, write_right_answers


def test_what_is_written_is_read(tmp_path):
    columns = {"Joint": np.array([True, False, True]), "R=3": np.array([False, False, True])}
    write_right_answers(columns, tmp_path / "a")
    found = read_right_answers(tmp_path / "a")
    assert {name: values.tolist() for name, values in found.items()} == {
        name: values.tolist() for name, values in columns.items()
    }
    write_right_answers(columns, tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_damaged_file_is_refused_in_one_line(tmp_path):
    (tmp_path / "a").write_bytes(b"no table")
    with pytest.raises(DataError, match="Expected a Parquet file of right answers at"):
        read_right_answers(tmp_path / "a")
