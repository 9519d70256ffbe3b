"""Right answers in the record: packed and unpacked, and what is no such text."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.codec import CodecError
from tasks.reporting.right_answers import packed, unpacked


@given(st.lists(st.booleans(), min_size=1, max_size=70))
def test_unpacking_undoes_packing(values):
    right = np.array(values)
    assert unpacked(packed(right), len(right)).tolist() == values


@pytest.mark.parametrize("text", ["not base64!", "AAAA", ""])
def test_another_text_is_refused(text):
    with pytest.raises(CodecError, match="expected deflated bits in base64"):
        unpacked(text, 3)


def test_another_number_of_images_is_refused():
    with pytest.raises(CodecError, match="expected 3 truth values under `right`, found 16 bits"):
        unpacked(packed(np.ones(9, bool)), 3)
