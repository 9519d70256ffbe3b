"""Prefect's API server as a child process that cannot outlive this one."""

import contextlib
import itertools
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from data.errors import UserError
from tasks.errors import VariableError, first_line
from tasks.execution.databases import PREFECT, ensure_database
from tasks.execution.fleet_state import FAILED_STARTS, Child, log_file, read_fleet
from tasks.execution.parent_death import python_module
from tasks.execution.prefect_settings import refresh
from tasks.execution.processes import kill_group, last_line, start_tethered, without
from tasks.redaction import redacted
from tasks.storage.database_url import DAMAGED, aside_command, sqlite_url
from tasks.storage.locks import try_lock, unlock

DATABASE = "prefect.db"
_NEWER = "Can't locate revision"
_HOST = "127.0.0.1"
_SETTLE_S = 10.0
_CALM_S, _LONGER_CALM_S = 0.5, 3.0
_STOP_S = 10.0
_URL, _AUTH, _SERVER_AUTH = (
    "PREFECT_API_URL",
    "PREFECT_API_AUTH_STRING",
    "PREFECT_SERVER_API_AUTH_STRING",
)
# The user's settings are for the user's own servers: another database, port, or number of
# processes (uvicorn reads the last two).
_FOREIGN_TO_SERVER = ("PREFECT_", "UVICORN_", "WEB_CONCURRENCY")
# And these for their clients: keys, headers, certificates.
_FOREIGN_TO_CLIENT = ("PREFECT_API_", "PREFECT_CLIENT_")
# What a single local run does not need: the UI, services for schedules, late runs, triggers and
# live streams, the copy of every event in the database, and blocks for the UI's forms. The service
# that records task runs stays.
_LEAN = {
    "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_LOGGING_LEVEL": "WARNING",
    "PREFECT__SERVER_EPHEMERAL": "1",
    "PREFECT__SERVER_FINAL": "1",
    "PREFECT_UI_ENABLED": "false",
    "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",
    "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_ENABLED": "false",
    "PREFECT_SERVER_EVENTS_STREAM_OUT_ENABLED": "false",
    "PREFECT_SERVER_LOGS_STREAM_OUT_ENABLED": "false",
    # Its terminal is its log file, which should name errors.
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "WARNING",
}


Ready = Callable[[], AbstractContextManager[None]]


class ServerError(UserError, RuntimeError):
    """The server did not start: one line with what happened and the path of its log."""


@contextmanager
def prefect_server(home: Path, start_limit_s: float = 180.0) -> Iterator[None]:
    """Provide a Prefect API for this process: the one of PREFECT_API_URL, or our own server.

    Enter it from a thread that outlives the context, as the server dies with that thread.

    Args:
        home: the home folder; the server's database and log are in PREFECT_HOME, by default
            HOME/prefect, or next to it if another process has its own server there.
        start_limit_s: seconds the server may take to start, or the fleet to restart it.

    Raises:
        ServerError: if it does not start, or the one of PREFECT_API_URL does not answer.
    """
    with starting_server(home, start_limit_s) as ready, ready():
        yield


@contextmanager
def starting_server(home: Path, start_limit_s: float = 180.0) -> Iterator[Ready]:
    """Like `prefect_server`, in two steps: start the server, then wait for it.

    Yields:
        A context that provides the API; entering it waits for the server.
    """
    if os.environ.get(_URL):
        yield partial(_given, home, start_limit_s)
        return
    usual = Path(os.environ.get("PREFECT_HOME") or home / "prefect").absolute()
    with _folder_of_its_own(usual) as folder, _started(folder, start_limit_s) as ready:
        yield ready


@contextmanager
def _given(home: Path, start_limit_s: float) -> Iterator[None]:
    url = os.environ[_URL]
    _await_restart(home, url, start_limit_s)
    _expect_answer(url)
    yield


def _await_restart(home: Path, url: str, limit_s: float) -> None:
    """Wait while the supervisor of the home's fleet has yet to restart this server.

    Raises:
        ServerError: if it does not come back.
    """
    deadline = time.monotonic() + limit_s
    starts: list[int] = []
    while (server := _down(home, url)) is not None:
        starts.append(server.starts)
        if starts[-1] > starts[0] + FAILED_STARTS or time.monotonic() > deadline:
            log = log_file(home, server.name)
            words = last_line(log) if log.exists() else ""
            raise ServerError(
                f"expected the fleet to restart Prefect's server, found: {words or 'no message'}; "
                f"its log is {log}."
            )
        time.sleep(0.2)


def _down(home: Path, url: str) -> Child | None:
    """The server that the home's fleet keeps at this URL, if it is down."""
    fleet = read_fleet(home)
    if fleet is None or fleet.api_url != url or _listens(url):
        return None
    return fleet.prefect


def _listens(url: str) -> bool:
    address = urlsplit(url)
    try:
        socket.create_connection((address.hostname, address.port or 80), timeout=5.0).close()
    except OSError:
        return False
    return True


@contextmanager
def _folder_of_its_own(usual: Path) -> Iterator[Path]:
    """The usual folder, or the first one next to it whose database is not in use."""
    for number in itertools.count(1):
        folder = usual if number == 1 else usual.with_name(f"{usual.name}-{number}")
        lock = try_lock(folder / ".lock")
        if lock is None:
            continue
        try:
            _sweep_locks(usual)
            yield folder
        finally:
            unlock(folder / ".lock", lock)
        return


def _sweep_locks(usual: Path) -> None:
    """Remove the lock files that killed commands have left in folders next to the usual one."""
    for left in usual.parent.glob(f"{usual.name}-*/.lock"):
        held = try_lock(left)
        if held is not None:
            unlock(left, held)


@contextmanager
def _started(folder: Path, start_limit_s: float) -> Iterator[Ready]:
    ensure_database(PREFECT, folder / DATABASE)
    log = folder / "server.log"
    log.unlink(missing_ok=True)
    port = _free_port()
    process = _start(folder, log, port)

    @contextmanager
    def ready() -> Iterator[None]:
        _wait_until_healthy(process, port, log, start_limit_s)
        with _api_url(f"http://{_HOST}:{port}/api"):
            try:
                yield
            finally:
                _settle(port)

    try:
        yield ready
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_S)
        kill_group(process)


def _start(folder: Path, log: Path, port: int) -> subprocess.Popen[bytes]:
    command = [*python_module("uvicorn"), "--factory"]
    command += ["prefect.server.api.server:create_app", "--host", _HOST, "--port", str(port)]
    command += ["--log-level", "error", "--lifespan", "on"]
    variables = {
        "PREFECT_HOME": str(folder),
        "PREFECT_PROFILES_PATH": str(folder / "no-profiles.toml"),
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": sqlite_url(folder / DATABASE, "aiosqlite"),
        **_LEAN,
    }
    if password := os.environ.get(_SERVER_AUTH):
        variables[_SERVER_AUTH] = password
    return start_tethered(command, log, folder, variables, leave_out=_FOREIGN_TO_SERVER)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind((_HOST, 0))
        port: int = free.getsockname()[1]
    return port


def _wait_until_healthy(
    process: subprocess.Popen[bytes], port: int, log: Path, limit_s: float
) -> None:
    expected = f"expected Prefect's server to start within {limit_s:g} s, found "
    deadline = time.monotonic() + limit_s
    while _ask(port, "GET", "/api/health") is None:
        if process.poll() is not None:
            raise ServerError(
                f"{expected}that it ended with exit code {process.returncode} "
                f"({last_line(log) or 'no message'}); {_advice(log)}."
            )
        if time.monotonic() > deadline:
            raise ServerError(f"{expected}no answer; start again, or look into its log: {log}.")
        time.sleep(0.05)


def _advice(log: Path) -> str:
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    move = (
        "move the database, which holds states and logs of runs but no results, out of the way: "
        f"{aside_command(log.with_name(DATABASE))}"
    )
    if _NEWER in text:
        return f"a newer version of Prefect made its database: install that version, or {move}"
    if DAMAGED.search(text):
        return f"its database is damaged: {move}"
    return f"start again, or look into its log: {log}"


def _ask(
    port: int, method: str, path: str, body: Mapping[str, object] | None = None
) -> bytes | None:
    """The server's answer; None if there is none or it is an error."""
    user, _, password = os.environ.get(_SERVER_AUTH, "").partition(":")
    try:
        # Ignore the environment's proxies and `.netrc`; loading certificates would be wasted.
        with httpx.Client(trust_env=False, verify=False, timeout=5.0) as client:  # noqa: S501
            answer = client.request(
                method, f"http://{_HOST}:{port}{path}", json=body, auth=(user, password)
            )
    except (httpx.HTTPError, OSError):
        return None
    return answer.content if answer.is_success else None


def _expect_answer(url: str) -> None:
    """Check that the server of PREFECT_API_URL answers and accepts this client.

    Raises:
        ServerError: if it does not.
        VariableError: if the environment's settings do not make a client.
    """
    from prefect import get_client  # noqa: PLC0415 - reads the environment when imported

    try:
        with get_client(sync_client=True) as client:
            client.read_flows(limit=1)
    except (OSError, ImportError) as error:
        raise VariableError(
            f"{_URL}: expected certificates and proxies that can be used, found: "
            f"{redacted(str(error))}; check SSL_CERT_FILE, PREFECT_API_SSL_CERT_FILE and the "
            "proxies of the environment."
        ) from error
    # Prefect wraps httpx's errors in its own, RuntimeError and ValueError among them.
    except Exception as error:
        raise ServerError(
            f"expected Prefect's server at {redacted(url)} (PREFECT_API_URL) to answer, found "
            f"{type(error).__name__}: {first_line(error)}; start it, check "
            "PREFECT_API_AUTH_STRING, or unset PREFECT_API_URL to have a server started."
        ) from error


@contextmanager
def _api_url(url: str) -> Iterator[None]:
    """Point this process and its children at a server."""
    before = dict(os.environ)
    for name in before.keys() - without(before, _FOREIGN_TO_CLIENT).keys():
        del os.environ[name]
    # Empty, to override SSL_CERT_FILE, which need not exist without encryption.
    os.environ |= {_URL: url, "PREFECT_API_SSL_CERT_FILE": ""}
    if password := before.get(_SERVER_AUTH):
        os.environ[_AUTH] = password
    refresh()
    try:
        yield
    finally:
        for name in os.environ.keys() - without(os.environ, _FOREIGN_TO_CLIENT).keys():
            del os.environ[name]
        os.environ.update({n: v for n, v in before.items() if n.startswith(_FOREIGN_TO_CLIENT)})
        refresh()


def _settle(port: int) -> None:
    # Task states and logs are sent in the background, and the server queues states before it
    # records them: stopping it at once would lose the last ones of a run.
    if "prefect" not in sys.modules:
        return
    from prefect.events.worker import EventsWorker  # noqa: PLC0415
    from prefect.logging.handlers import APILogWorker  # noqa: PLC0415

    EventsWorker.drain_all(timeout=_SETTLE_S)
    APILogWorker.drain_all(timeout=_SETTLE_S)
    deadline = time.monotonic() + _SETTLE_S
    recorded, since = _recorded(port), time.monotonic()
    while (now := time.monotonic()) < deadline and now - since < _calm(recorded):
        time.sleep(0.1)
        if (latest := _recorded(port)) != recorded:
            recorded, since = latest, now


def _calm(recorded: Sequence[bytes | None]) -> float:
    """Seconds of silence after which nothing more is expected."""
    known, ended = recorded
    # Some of a stopped run's tasks may never end.
    return _CALM_S if known == ended is not None else _LONGER_CALM_S


def _recorded(port: int) -> list[bytes | None]:
    """Number of task runs on the server, and of those that have ended."""
    ended = {"task_runs": {"state": {"type": {"any_": ["COMPLETED", "FAILED", "CRASHED"]}}}}
    return [_ask(port, "POST", "/api/task_runs/count", query) for query in ({}, ended)]
