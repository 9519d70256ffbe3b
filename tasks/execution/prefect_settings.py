"""Prefect's settings: from the environment alone, and checked before anything runs.

Prefect would also read `.env`, `prefect.toml` and `pyproject.toml` in the working directory, and a
profile. Those are for flows of the user's own.
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
    """Import Prefect, which reads its settings then, and check them; `configure` comes first.

    Raises:
        VariableError: if a variable has a value that Prefect does not take.
    """
    # Prefect prints a traceback before it raises, and looks around in the working directory; in
    # ours there is nothing for it.
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
    """Have Prefect read its settings again: it reads them once, when imported.

    A temporary context would not do: Prefect's background threads start outside of it.
    """
    if "prefect" in sys.modules:
        from prefect.context import refresh_global_settings_context  # noqa: PLC0415

        _read_the_environment_only()
        refresh_global_settings_context()


def _pass_unusable_proxies() -> None:
    """Go past proxies that Prefect's client cannot use, where it talks to this machine only.

    Raises:
        VariableError: if another machine is to be reached.
    """
    import httpx  # noqa: PLC0415 - after Prefect, which needs it too

    try:
        # It makes a way through every proxy, also where it takes none of them.
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

    # prefect.toml, pyproject.toml and profiles. Prefect has no setting that turns them off.
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
    """One line about the first variable that Prefect refuses; None if it takes them all."""
    error = _refusal()
    if error is None:
        return None
    given = {name: value for name, value in os.environ.items() if name.startswith(_PREFIX)}
    try:
        for name in given:
            # Without a home folder of its own it would look for the user's.
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
    """What Prefect says against the environment as it is."""
    try:
        from prefect.settings import Settings  # noqa: PLC0415

        _read_the_environment_only()
        Settings()
    # Its validators raise what they like, RuntimeError for a home folder among it.
    except Exception as error:
        return str(error)
    return None


def _line(name: str, value: str, error: str) -> str:
    found = _EXPECTED.search(error)
    what = found["what"].strip() if found else "a value that Prefect takes"
    return (
        f"{name}: expected {what}, found {redacted_value(name, value)!r}; correct it, or unset it."
    )
