"""Names that are the same, however they are written."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from data.names import both, fold, normal


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
