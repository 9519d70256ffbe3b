"""Settings of methods, for every method there is and for one that could come."""

from dataclasses import dataclass

import pytest
from pydantic import ValidationError

from flows.experiment.issues import dotted
from flows.experiment.method_settings import check_settings, fields_of
from flows.experiment.validation import findings_in
from gradmix.declarations.declaration import Declaration
from gradmix.declarations.methods import METHODS


@dataclass(frozen=True, kw_only=True)
class OddConfig:
    """A field without a default, and two that must fit each other."""

    depth: int
    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        if self.low >= self.high:
            raise ValueError("low and high are crossed.")
        if self.depth > 9:
            raise ValueError(f"depth must be at most 9. Found {self.depth}.")


@pytest.fixture
def odd(monkeypatch):
    declared = Declaration(name="odd", config=OddConfig, implementation="odd:Odd")
    monkeypatch.setitem(METHODS, "odd", declared)


def wrong(method, settings, elsewhere=None):
    with pytest.raises(ValidationError) as caught:
        check_settings(method, settings, elsewhere)
    first = findings_in(caught.value.errors())[0]
    return f"{dotted(first.key)}: {first.text}"


@pytest.mark.parametrize("method", METHODS)
def test_every_method_takes_its_defaults_and_nothing_unknown(method):
    check_settings(method, {})
    assert wrong(method, {"no_such": 1}).startswith("no_such: expected ")
    defaults = METHODS[method].config()
    check_settings(method, {name: getattr(defaults, name) for name in fields_of(method)})


def test_a_key_that_has_its_value_elsewhere_is_refused():
    check_settings("gradmix", {"solver": "sgd"}, elsewhere={"beta": 2.0})
    assert wrong("gradmix", {"beta": 1.0}, elsewhere={"beta": 2.0}) == (
        "beta: expected no such key here, found 1.0; use beta above it."
    )


def test_a_setting_without_a_default_is_asked_for(odd):
    check_settings("odd", {"low": 0.5}, elsewhere={"depth": 1})
    assert wrong("odd", {"low": 0.5}) == "depth: expected a value, found none; add the key."


def test_a_value_out_of_range_is_found_at_its_key_in_the_words_of_the_method(odd):
    assert wrong("odd", {"low": 0.5, "depth": 10}) == (
        "depth: expected at most 9, found 10; correct the value."
    )


def test_values_that_do_not_fit_each_other_are_found_together(odd):
    check_settings("odd", {"depth": 1, "low": 1.5, "high": 2.0})
    assert wrong("odd", {"depth": 1, "low": 0.5, "high": 0.25}) == (
        ": expected settings that the method takes, found others; low and high are crossed."
    )
