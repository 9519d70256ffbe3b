"""Paths as written by users."""

from pathlib import Path

import pytest

from data.errors import UserError
from data.paths import expanded


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")

    assert expanded("~/runs") == Path("/home/me/runs")
    assert expanded("a/~b?c%41#d e") == Path("a/~b?c%41#d e")


def test_a_user_that_is_unknown_is_one_line() -> None:
    with pytest.raises(UserError) as caught:
        expanded("~nosuchuser/x")

    assert str(caught.value) == (
        "expected the path of a file or folder, found '~nosuchuser/x', whose home folder is "
        "unknown; write the full path."
    )


@pytest.mark.parametrize("name", ["caf\udce9", "a\0b"])
def test_a_name_that_no_report_could_hold_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="in UTF-8, found b'"):
        expanded(name)
