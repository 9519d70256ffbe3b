"""Prefect's settings: read from the environment alone, and checked before anything runs.

Prefect would also read `.env`, `prefect.toml` and `pyproject.toml` in the working directory, and a
profile. Those are for the user's own flows.
"""

import contextlib
import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tasks.errors import VariableError
from tasks.execution.environment import LOOPBACK, left_out
from tasks.redaction import redacted, redacted_value

if TYPE_CHECKING:
    from prefect.settings.base import PrefectBaseSettings

_PREFIX = "PREFECT_"
_ADDRESSES = ("PREFECT_API_URL", "MLFLOW_TRACKING_URI", "GRADMIX_STORAGE")
_EXPECTED = re.compile(r"Input should be (?P<what>.+?)(?:, unable| \[type|$)", re.MULTILINE)


def load_prefect() -> None:
    """Import Prefect, which then reads its settings, and check them; call `configure` first.

    Raises:
        VariableError: if a variable has a value that Prefect rejects.
    """
    # Prefect prints a traceback before it raises, and reads files in the working directory; this
    # folder has none for it.
    with (
        contextlib.chdir(Path(__file__).parent),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        with _as_the_user_has_it():
            wrong = _wrong_variable()
        if wrong is not None:
            raise VariableError(wrong)
        _pass_unusable_proxies()
        refresh()


def refresh() -> None:
    """Make Prefect read its settings again; it otherwise reads them only on import.

    A temporary context is not enough: Prefect's background threads start outside it.
    """
    if "prefect" in sys.modules:
        from prefect.context import refresh_global_settings_context  # noqa: PLC0415

        _read_the_environment_only()
        refresh_global_settings_context()


def _pass_unusable_proxies() -> None:
    """Bypass proxies that Prefect's client cannot use, if it only talks to this machine.

    Raises:
        VariableError: if another machine must be reached.
    """
    import httpx  # noqa: PLC0415 - after Prefect, which needs it too

    try:
        # It sets up every proxy, even if it uses none of them.
        httpx.Client(verify=False).close()  # noqa: S501
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        elsewhere = [name for name in _ADDRESSES if _is_elsewhere(os.environ.get(name, ""))]
        if elsewhere:
            raise VariableError(
                "HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY: expected proxies that can be used, "
                f"since {elsewhere[0]} names another machine, found: {redacted(str(error))}; "
                "correct or unset them."
            ) from error
        os.environ["NO_PROXY"] = os.environ["no_proxy"] = "*"


def _is_elsewhere(address: str) -> bool:
    host = urlsplit(address).hostname
    return host is not None and host not in LOOPBACK


def _read_the_environment_only() -> None:
    from prefect.settings import sources  # noqa: PLC0415
    from prefect.settings.base import PrefectBaseSettings  # noqa: PLC0415

    # prefect.toml, pyproject.toml and profiles. Prefect has no setting to turn them off.
    sources._read_toml_file = _no_settings
    for settings in _with_descendants(PrefectBaseSettings):
        settings.model_config["env_file"] = None


def _no_settings(path: Path) -> dict[str, Any]:
    del path
    return {}


def _with_descendants(
    settings: "type[PrefectBaseSettings]",
) -> "Iterator[type[PrefectBaseSettings]]":
    yield settings
    for child in settings.__subclasses__():
        yield from _with_descendants(child)


@contextmanager
def _as_the_user_has_it() -> Iterator[None]:
    os.environ.update(left_out)
    try:
        yield
    finally:
        for name in left_out:
            del os.environ[name]


def _wrong_variable() -> str | None:
    """Message about the first variable that Prefect rejects; None if it accepts them all."""
    error = _refusal()
    if error is None:
        return None
    given = {name: value for name, value in os.environ.items() if name.startswith(_PREFIX)}
    try:
        for name in given:
            # Without PREFECT_HOME it would look for the user's home folder.
            if name != "PREFECT_HOME":
                del os.environ[name]
        for name, value in sorted(given.items()):
            os.environ[name] = value
            alone = _refusal()
            if alone is not None:
                return _line(name, value, alone)
            if name != "PREFECT_HOME":
                del os.environ[name]
    finally:
        os.environ.update(given)
    return f"{_PREFIX}*: expected settings that Prefect takes, found: {' '.join(error.split())}"


def _refusal() -> str | None:
    """Prefect's error about the current environment, or None."""
    try:
        from prefect.settings import Settings  # noqa: PLC0415

        _read_the_environment_only()
        Settings()
    # Its validators raise all kinds of errors, such as RuntimeError for a home folder.
    except Exception as error:
        return str(error)
    return None


def _line(name: str, value: str, error: str) -> str:
    found = _EXPECTED.search(error)
    what = found["what"].strip() if found else "a value that Prefect takes"
    return (
        f"{name}: expected {what}, found {redacted_value(name, value)!r}; correct it, or unset it."
    )
