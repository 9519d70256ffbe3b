"""How keys and values are written in messages."""

from datetime import date

import pytest

from flows.experiment.issues import Finding, dotted, not_among, repeated, shown
from flows.experiment.validation import findings_in


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3"),
        (0.5, "0.5"),
        (True, "true"),
        ("a", '"a"'),
        ("a\nb", '"a\\nb"'),
        ("a\u2028b", '"a b"'),
        ((1, "x", [False]), '[1, "x", [false]]'),
        ({"a": 1}, "a table"),
        (date(1979, 5, 27), "1979-05-27"),
        (10**100, "a very large number"),
        ("x" * 100, f'"{"x" * 59}...'),
    ],
)
def test_values_look_as_in_the_file_and_are_short(value, text):
    assert shown(value) == text


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (("seed",), "seed"),
        (("baselines", 2, "method"), "baselines[2].method"),
        (("t", "a b", "c.d"), 't."a b"."c.d"'),
        (("t", ""), 't.""'),
        (("k", 0, 1), "k[0][1]"),
    ],
)
def test_keys_look_as_a_reader_would_search_them(key, text):
    assert dotted(key) == text


def test_the_nearest_name_is_suggested_and_nothing_far_away():
    assert not_among((), "stepz", ["steps", "hidden"]).text.endswith("did you mean steps?")
    assert not_among((), "q", ["steps", "hidden"]).text == (
        'expected one of steps, hidden, found "q"; correct the name.'
    )


def test_repetitions_are_the_later_ones():
    assert repeated([1, 2, 1.0, 3, 2, 1]) == [2, 4, 5]
    assert repeated([]) == []


def test_a_check_without_words_of_its_own_still_gives_the_form():
    error = {"type": "new_in_pydantic", "loc": ("a", 0), "msg": "Input is odd", "input": 3}
    assert findings_in([error]) == [
        Finding(("a", 0), "expected another value (Input is odd), found 3; correct the value.")
    ]
