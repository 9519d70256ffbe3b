"""Secrets do not show; everything else does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.redaction import redacted, redacted_value, safe_cause, without_login

WORDS = st.text(st.characters(categories=["L", "N"]), min_size=5)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://user:geheim@host:5000/x", "http://user:***@host:5000/x"),
        ("http://user:ge@heim@host/", "http://user:***@host/"),
        ("https://ghp_abc123@host/", "https://***@host/"),
        ("postgresql+asyncpg://me:p%40w@db/prefect", "postgresql+asyncpg://me:***@db/prefect"),
        ("s3://bucket/x?token=abc&part=1", "s3://bucket/x?token=***&part=1"),
        ("https://h/f?X-Amz-Signature=abc#x", "https://h/f?X-Amz-Signature=***"),
        ("mail a@b.org, see http://host/a@b", "mail a@b.org, see http://host/a@b"),
        ("keys=3 tokens=4", "keys=3 tokens=4"),
    ],
)
def test_logins_and_secret_parameters_are_hidden(text: str, shown: str) -> None:
    assert redacted(text, {}) == shown


def test_values_of_secret_variables_are_hidden_wherever_they_stand() -> None:
    variables = {
        "PREFECT_API_AUTH_STRING": "team:sesame",
        "AWS_SECRET_ACCESS_KEY": "wJalr",
        "KEYBOARD_LAYOUT": "qwertz",
        "DB_PASSWORD": "a",
        "PREFECT_CLIENT_CUSTOM_HEADERS": '{"Authorization": "Bearer 83kx-qd", "X-Team": "blue"}',
    }

    text = redacted("401 for team:sesame, then sesame; wJalr; qwertz; a cat; 83kx-qd", variables)

    assert text == "401 for ***, then ***; ***; qwertz; a cat; ***"


@given(WORDS, WORDS)
def test_no_password_survives_in_an_address(user: str, password: str) -> None:
    assert password not in redacted(f"at http://{user}:{password}@host/.", {}).replace(user, "")


def test_a_variable_is_hidden_by_its_name_or_by_its_value() -> None:
    assert redacted_value("MLFLOW_TRACKING_TOKEN", "abc") == "***"
    assert redacted_value("PREFECT_CLIENT_CUSTOM_HEADERS", "{'Authorization': 'abc") == "***"
    assert redacted_value("PREFECT_API_URL", "http://a:b@c/api") == "http://a:***@c/api"
    assert redacted_value("PREFECT_LOGGING_LEVEL", "verbose") == "verbose"


def test_a_link_has_no_login() -> None:
    assert without_login("https://u:p@host:1/x?a=b#c") == "https://host:1/x"
    assert without_login("http://127.0.0.1:5000") == "http://127.0.0.1:5000"


def test_an_error_is_no_cause_if_any_part_of_its_traceback_shows_a_secret() -> None:
    innocent, inner = ValueError("no such host"), OSError("cannot reach http://a:geheim@h/")
    outer = RuntimeError("the store failed")
    outer.__cause__ = inner

    assert safe_cause(innocent) is innocent
    assert safe_cause(inner) is None
    assert safe_cause(outer) is None
