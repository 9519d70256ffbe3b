import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.counting import counted, plural, singular, tallied


@pytest.mark.parametrize(
    ("count", "noun", "said"),
    [
        (0, "copy", "0 copies"),
        (1, "class", "1 class"),
        (2, "class", "2 classes"),
        (2, "labelled file", "2 labelled files"),
        (5, "display", "5 displays"),
        (3, "batch", "3 batches"),
        (1_234, "label", "1,234 labels"),
    ],
)
def test_only_one_is_singular(count, noun, said):
    assert counted(count, noun) == said


@given(st.integers(0, 10**9), st.sampled_from(["file", "class", "copy", "clip", "known label"]))
def test_the_noun_is_plural_unless_there_is_exactly_one(count, noun):
    number, _, rest = counted(count, noun).partition(" ")
    assert int(re.sub(",", "", number)) == count
    assert rest == (noun if count == 1 else plural(noun))


def test_media_have_a_singular_and_reasons_keep_their_grammar():
    assert [counted(1, singular(media)) for media in ("photos", "clips")] == ["1 photo", "1 clip"]
    assert tallied({"files that are not photos": 1, "hidden files": 2_000}) == (
        "files that are not photos (1), hidden files (2,000)"
    )
