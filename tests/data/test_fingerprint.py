import hashlib
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import DataError
from data.fingerprint import canonical_json, digest_json, sha256_bytes, sha256_file

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def test_canonical_json_is_sorted_and_without_spaces():
    assert canonical_json({"b": [1, 2.5], "a": "é"}) == '{"a":"\\u00e9","b":[1,2.5]}'


def test_the_digest_is_the_sha256_of_the_canonical_text():
    # printf '{"a":1}' | sha256sum
    assert (
        digest_json({"a": 1}) == "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"
    )


@given(VALUES)
def test_canonical_json_loses_nothing(value):
    assert json.loads(canonical_json(value)) == value


@given(st.dictionaries(st.text(), st.integers(), min_size=2))
def test_the_order_of_keys_does_not_change_the_digest(value):
    assert digest_json(dict(reversed(value.items()))) == digest_json(value)


def test_equal_numbers_of_another_type_have_another_digest():
    assert digest_json(1) != digest_json(1.0)


@pytest.mark.parametrize("value", [float("nan"), [float("inf")], {"a": {1, 2}}, np.int64(3)])
def test_values_without_a_json_form_are_refused(value):
    with pytest.raises(DataError, match="Expected plain finite JSON values"):
        canonical_json(value)


@pytest.mark.parametrize("value", [{1: "a"}, [{"a": ({2: 0},)}]])
def test_keys_that_are_not_strings_are_refused_at_any_depth(value):
    with pytest.raises(DataError, match="Expected string keys, found the key"):
        canonical_json(value)


def test_a_files_digest_is_that_of_its_bytes(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x" * 300_000)
    expected = hashlib.sha256(b"x" * 300_000).hexdigest()
    assert sha256_file(path) == sha256_bytes(b"x" * 300_000) == expected


def test_a_missing_file_has_no_digest(tmp_path):
    with pytest.raises(DataError, match=r"Expected a readable file at .*gone"):
        sha256_file(tmp_path / "gone")
