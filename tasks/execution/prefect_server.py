"""Prefect's API server as one child process that cannot outlive this one."""

import contextlib
import http.client
import itertools
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from data.errors import UserError
from tasks.execution.processes import kill_group, last_line, start_tethered
from tasks.storage.locks import try_lock, unlock

_HOST = "127.0.0.1"
_SETTLE_S = 10.0
_CALM_S = 0.5
_STOP_S = 10.0
# What a single local run has no use for: the UI, services for schedules, late runs, triggers and
# live streams, the copy of every event in the database, and blocks for the UI's forms. The service
# that records task runs stays.
_LEAN = {
    "PREFECT__SERVER_EPHEMERAL": "1",
    "PREFECT__SERVER_FINAL": "1",
    "PREFECT_UI_ENABLED": "false",
    "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",
    "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_ENABLED": "false",
    "PREFECT_SERVER_EVENTS_STREAM_OUT_ENABLED": "false",
    "PREFECT_SERVER_LOGS_STREAM_OUT_ENABLED": "false",
    # Its terminal is its log file: say there what goes wrong.
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "WARNING",
}


class ServerError(UserError, RuntimeError):
    """The server did not come up: one line with what happened and where its log lies."""


@contextmanager
def prefect_server(home: Path, start_limit_s: float = 180.0) -> Iterator[None]:
    """Have a Prefect API for this process: the one of PREFECT_API_URL, or a server of our own.

    Enter it from a thread that lives as long as the context does: the server dies with it.

    Args:
        home: the home folder; the server's database and log lie in PREFECT_HOME, by default
            HOME/prefect, or beside it while another process has its own server there.
        start_limit_s: seconds that the server may take to start.

    Raises:
        ServerError: if it does not start.
    """
    if os.environ.get("PREFECT_API_URL"):
        yield
        return
    usual = Path(os.environ.get("PREFECT_HOME") or home / "prefect").absolute()
    with _folder_of_its_own(usual) as folder, _served(folder, start_limit_s):
        yield


@contextmanager
def _folder_of_its_own(usual: Path) -> Iterator[Path]:
    """The usual folder, or the first beside it whose database no other server uses."""
    for number in itertools.count(1):
        folder = usual if number == 1 else usual.with_name(f"{usual.name}-{number}")
        lock = try_lock(folder / ".lock")
        if lock is None:
            continue
        try:
            yield folder
        finally:
            unlock(folder / ".lock", lock)
        return


@contextmanager
def _served(folder: Path, start_limit_s: float) -> Iterator[None]:
    log = folder / "server.log"
    log.unlink(missing_ok=True)
    port = _free_port()
    process = _start(folder, log, port)
    try:
        _wait_until_healthy(process, port, log, start_limit_s)
        with _api_url(f"http://{_HOST}:{port}/api"):
            try:
                yield
            finally:
                _settle(port)
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_S)
        kill_group(process)


def _start(folder: Path, log: Path, port: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-P", "-m", "uvicorn", "--factory"]
    command += ["prefect.server.api.server:create_app", "--host", _HOST, "--port", str(port)]
    command += ["--log-level", "error", "--lifespan", "on"]
    return start_tethered(command, log, folder, {"PREFECT_HOME": str(folder), **_LEAN})


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
                f"({last_line(log) or 'no message'}); its log is {log}."
            )
        if time.monotonic() > deadline:
            raise ServerError(f"{expected}no answer; its log is {log}.")
        time.sleep(0.05)


def _ask(
    port: int, method: str, path: str, body: Mapping[str, object] | None = None
) -> bytes | None:
    """The server's answer; None where it has none, or not the wanted one."""
    # Not urllib or httpx: these would go through a proxy that the environment names.
    connection = http.client.HTTPConnection(_HOST, port, timeout=5)
    try:
        headers = {"Content-Type": "application/json"}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.read() if answer.status == http.HTTPStatus.OK else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


@contextmanager
def _api_url(url: str) -> Iterator[None]:
    """Tell this process, and those it starts, where the server is."""
    os.environ["PREFECT_API_URL"] = url
    _read_settings_again()
    try:
        yield
    finally:
        del os.environ["PREFECT_API_URL"]
        _read_settings_again()


def _read_settings_again() -> None:
    # Prefect reads its settings once, when imported. A temporary context would not do: Prefect's
    # background threads start outside of it.
    if "prefect" in sys.modules:
        from prefect.context import refresh_global_settings_context  # noqa: PLC0415

        refresh_global_settings_context()


def _settle(port: int) -> None:
    # Task states and logs travel in the background, and the server takes states in before it
    # records them: stopped at once, it would lose the last of a run.
    if "prefect" not in sys.modules:
        return
    from prefect.events.worker import EventsWorker  # noqa: PLC0415
    from prefect.logging.handlers import APILogWorker  # noqa: PLC0415

    EventsWorker.drain_all(timeout=_SETTLE_S)
    APILogWorker.drain_all(timeout=_SETTLE_S)
    deadline = time.monotonic() + _SETTLE_S
    recorded, since = _recorded(port), time.monotonic()
    while (now := time.monotonic()) < deadline and now - since < _CALM_S:
        time.sleep(0.1)
        if (latest := _recorded(port)) != recorded:
            recorded, since = latest, now


def _recorded(port: int) -> list[bytes | None]:
    """How many task runs the server knows, and how many of them have ended."""
    ended = {"task_runs": {"state": {"type": {"any_": ["COMPLETED", "FAILED", "CRASHED"]}}}}
    return [_ask(port, "POST", "/api/task_runs/count", query) for query in ({}, ended)]
