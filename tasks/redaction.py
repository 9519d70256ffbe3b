"""Passwords and keys, taken out of what people and files get to see."""

import os
import re
from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

HIDDEN = "***"
SECRET = re.compile(r"PASSWORD|PASSWD|SECRET|TOKEN|CREDENTIAL|AUTH_STRING|_KEY\b|_KEY_ID\b|API_KEY")
"""Parts of the names of variables whose values are secrets."""

_LOGIN = re.compile(r"(?P<scheme>[A-Za-z][\w+.-]*://)(?P<login>[^\s/?#'\"]*)@")
_PARAMETER = re.compile(
    r"(?P<name>[?&;](?:[\w.-]*(?:password|passwd|secret|token|signature|credential|api_?key)|key|sig"
    r"|pwd|auth)=)[^&;\s'\"]+",
    re.IGNORECASE,
)
_SHORTEST = 4
"""A value below this many characters would be hidden in words that have nothing to do with it."""


def redacted(text: str, variables: Mapping[str, str] = os.environ) -> str:
    """A text without logins in addresses, secret parameters, and values of secret variables.

    Args:
        text: any.
        variables: the environment.
    """
    text = _PARAMETER.sub(rf"\g<name>{HIDDEN}", _LOGIN.sub(_hide_login, text))
    for secret in sorted(_secrets(variables), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


def redacted_value(name: str, value: str) -> str:
    """The value of a variable, as a message may show it."""
    return HIDDEN if SECRET.search(name.upper()) else redacted(value)


def without_login(url: str) -> str:
    """An address for links: without user, password and parameters."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))


def _hide_login(found: re.Match[str]) -> str:
    user, colon, _ = found["login"].partition(":")
    # Without a colon the whole is a key.
    return f"{found['scheme']}{user + colon if colon else ''}{HIDDEN}@"


def _secrets(variables: Mapping[str, str]) -> set[str]:
    """Values of secret variables; of `user:password` the password too."""
    values = {value for name, value in variables.items() if SECRET.search(name.upper())}
    values |= {value.partition(":")[2] for value in values}
    return {value for value in values if len(value) >= _SHORTEST}
