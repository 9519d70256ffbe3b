"""Names that mean the same in different spellings."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.names import both, fold, look_alike, normal
from data.readers.ucf101 import CLASSES


@given(st.text())
def test_forms_and_case_make_no_other_name(name):
    for form in ("NFC", "NFD"):
        assert fold(unicodedata.normalize(form, name)) == fold(name)
    assert fold(fold(name)) == fold(name)
    assert normal(normal(name)) == normal(name)


def test_spellings_are_shown_so_that_they_differ():
    assert both("Tea", "tea") == "'Tea' and 'tea'"
    assert both("caf\u00e9", "cafe\u0301") == (
        r"'caf\xe9' and 'cafe\u0301' (two Unicode forms of 'caf" + "\u00e9')"
    )


@pytest.mark.parametrize(
    "pair",
    [
        *(("cat", "Cat"), ("cat", "cats"), ("bus", "buses"), ("axe", "axes"), ("berry", "Berries")),
        *(("jump rope", "JumpRope"), ("push-ups", "push_up"), ("walking", "walkng")),
        *(("stir", "stirr"), ("caf\u00e9", "cafe\u0301"), ("class 1", "class-1")),
    ],
)
def test_names_that_may_mean_one_class_look_alike(pair):
    assert look_alike(pair) == (pair,)
    assert look_alike(pair[::-1]) == (pair[::-1],)


@pytest.mark.parametrize(
    "pair",
    [("cut", "cup"), ("ball", "bell"), ("n01443537", "n01443538"), ("1", "11"), ("horse", "house")],
)
def test_names_of_two_classes_do_not(pair):
    assert look_alike(pair) == ()


def test_only_pairs_of_different_names_are_given():
    assert look_alike(["cat", "cat", "dog"]) == ()
    assert look_alike(["cat", "dog", "cats", "CAT"]) == (
        ("cat", "cats"),
        ("cat", "CAT"),
        ("cats", "CAT"),
    )
    assert look_alike(CLASSES) == (("PlayingGuitar", "PlayingSitar"),)
