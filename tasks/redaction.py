"""Removal of passwords and keys from messages and files."""

import os
import re
import traceback
from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

HIDDEN = "***"
SECRET = re.compile(
    r"PASSWORD|PASSWD|SECRET|TOKEN|CREDENTIAL|AUTH_STRING|HEADERS|_KEY\b|_KEY_ID\b|API_KEY"
)
"""Name parts that mark an environment variable as secret."""

_LOGIN = re.compile(r"(?P<scheme>[A-Za-z][\w+.-]*://)(?P<login>[^\s/?#'\"]*)@")
_PARAMETER = re.compile(
    r"(?P<name>[?&;](?:[\w.-]*(?:password|passwd|secret|token|signature|credential|api_?key)|key|sig"
    r"|pwd|auth)=)[^&;\s'\"]+",
    re.IGNORECASE,
)
_QUOTED = re.compile(r'[:=]\s*"(?:\w+ )?([^"]+)"')
"""A value in JSON, such as a header's, without the scheme of an `Authorization`."""
_SHORTEST = 4
"""Shorter values are not redacted, as they would match parts of ordinary words."""


def redacted(text: str, variables: Mapping[str, str] = os.environ) -> str:
    """Hide logins in URLs, secret parameters, and values of secret variables.

    Args:
        text: any text.
        variables: environment variables.
    """
    text = _PARAMETER.sub(rf"\g<name>{HIDDEN}", _LOGIN.sub(_hide_login, text))
    for secret in sorted(_secrets(variables), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


def redacted_value(name: str, value: str) -> str:
    """Value of a variable in a form that is safe to show."""
    return HIDDEN if SECRET.search(name.upper()) else redacted(value)


def safe_cause(error: Exception) -> Exception | None:
    """An error to raise another one from; None if its traceback, which is logged, has a secret."""
    text = "".join(traceback.format_exception(error))
    return error if redacted(text) == text else None


def without_login(url: str) -> str:
    """URL for links, without user, password and parameters."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))


def _hide_login(found: re.Match[str]) -> str:
    user, colon, _ = found["login"].partition(":")
    # Without a colon the login is a key.
    return f"{found['scheme']}{user + colon if colon else ''}{HIDDEN}@"


def _secrets(variables: Mapping[str, str]) -> set[str]:
    """Values of secret variables, and the secret parts of `user:password` and JSON values."""
    values = {value for name, value in variables.items() if SECRET.search(name.upper())}
    quoted = {part for value in values for part in _QUOTED.findall(value)}
    values |= quoted | {value.partition(":")[2] for value in values}
    return {value for value in values if len(value) >= _SHORTEST}
