"""Prefect's server: as a child that is never left behind.

The real one runs flows in tests/tasks/engine/test_prefect_tasks.py.
"""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy.engine import make_url

from tasks.execution import prefect_server as server_module
from tasks.execution import processes
from tasks.execution.fleet_state import PREFECT, Child, Fleet, log_file, write_fleet
from tasks.execution.prefect_server import ServerError, prefect_server
from tasks.execution.prefect_settings import refresh
from tasks.execution.processes import Process
from tasks.storage.locks import try_lock, unlock


def test_a_server_that_is_there_is_used_as_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://prefect:4200/api")
    monkeypatch.setattr(server_module, "_expect_answer", lambda _: None)

    with prefect_server(tmp_path):
        assert os.environ["PREFECT_API_URL"] == "http://prefect:4200/api"

    assert os.environ["PREFECT_API_URL"] == "http://prefect:4200/api"
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_does_not_answer_is_one_line_without_its_password(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://me:sesame@127.0.0.1:9/api")
    monkeypatch.setenv("PREFECT_CLIENT_MAX_RETRIES", "0")
    refresh()

    with pytest.raises(ServerError) as caught, prefect_server(tmp_path):
        pass

    assert str(caught.value).startswith(
        "expected Prefect's server at http://me:***@127.0.0.1:9/api (PREFECT_API_URL) to answer, "
        "found ConnectError: "
    )
    assert "sesame" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def port() -> Iterator[socket.socket]:
    """A port that refuses connections until it is told to listen."""
    with socket.socket() as port:
        port.bind(("127.0.0.1", 0))
        yield port


@pytest.fixture
def fleet(port: socket.socket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Fleet:
    """A fleet over the home folder whose server, that of PREFECT_API_URL, is down."""
    url = f"http://127.0.0.1:{port.getsockname()[1]}/api"
    monkeypatch.setenv("PREFECT_API_URL", url)
    server = Child(PREFECT, None)
    supervisor = Process.find(os.getpid())
    fleet = Fleet(url, None, socket.gethostname(), supervisor, True, (server,), ())
    log_file(tmp_path, PREFECT).parent.mkdir(parents=True)
    log_file(tmp_path, PREFECT).write_text("its last words\n")
    write_fleet(tmp_path, fleet)
    return fleet


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether something listened whenever the server was asked."""
    asked: list[bool] = []
    listens = server_module._listens
    monkeypatch.setattr(server_module, "_expect_answer", lambda url: asked.append(listens(url)))
    return asked


@pytest.mark.usefixtures("fleet")
def test_a_server_that_the_fleet_restarts_is_waited_for(
    port: socket.socket, asked: list[bool], tmp_path: Path
) -> None:
    threading.Timer(0.5, port.listen).start()

    with prefect_server(tmp_path):
        assert asked == [True]


@pytest.mark.parametrize(
    "change",
    [
        {"supervisor": Process(os.getpid(), -1.0)},
        {"servers": ()},
        {"api_url": "http://elsewhere:4200/api"},
    ],
    ids=["no supervisor", "a joined host", "another server"],
)
def test_a_server_that_nobody_here_restarts_is_not_waited_for(
    fleet: Fleet,
    change: dict[str, Any],
    asked: list[bool],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    write_fleet(tmp_path, replace(fleet, **change))
    monkeypatch.setattr(server_module.time, "sleep", lambda _: pytest.fail("it waits"))

    with prefect_server(tmp_path):
        assert asked == [False]


@pytest.mark.usefixtures("fleet")
def test_a_server_that_stays_away_is_given_up_with_its_last_words(
    asked: list[bool], tmp_path: Path
) -> None:
    with (
        pytest.raises(ServerError) as caught,
        prefect_server(tmp_path, start_limit_s=0.3),
    ):
        pass

    assert asked == []
    assert str(caught.value) == (
        "expected the fleet to restart Prefect's server, found: its last words; its log is "
        f"{tmp_path}/fleet/logs/prefect.log."
    )


def test_a_server_that_cannot_start_is_given_up_after_some_starts(
    fleet: Fleet, asked: list[bool], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    starts = iter(range(2, 99))

    def restart(_: float) -> None:
        server = Child(PREFECT, None, starts=next(starts))
        write_fleet(tmp_path, replace(fleet, servers=(server,)))

    monkeypatch.setattr(server_module.time, "sleep", restart)
    with pytest.raises(ServerError, match="found: its last words"), prefect_server(tmp_path):
        pass

    assert (next(starts), asked) == (6, [])


def test_a_server_of_our_own_takes_the_password_that_it_asks_for_and_nothing_foreign(
    quick_server: list[Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PREFECT_SERVER_API_AUTH_STRING", "me:sesame")
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "of:another")
    monkeypatch.setenv("PREFECT_API_KEY", "pnu_1")
    monkeypatch.setenv("PREFECT_CLIENT_CUSTOM_HEADERS", '{"X": "1"}')
    before = dict(os.environ)

    with prefect_server(tmp_path):
        assert os.environ["PREFECT_API_AUTH_STRING"] == "me:sesame"
        assert "PREFECT_API_KEY" not in os.environ
        assert "PREFECT_CLIENT_CUSTOM_HEADERS" not in os.environ

    assert dict(os.environ) == before


def test_a_server_of_our_own_is_for_this_machine_and_gets_nothing_of_the_users(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told: dict[str, str] = {}
    words: list[str] = []

    def popen(command: list[str], *, env: dict[str, str], **_: object) -> None:
        told.update(env)
        words.extend(command)

    monkeypatch.setattr(processes.subprocess, "Popen", popen)
    monkeypatch.setenv("PREFECT_SERVER_DATABASE_CONNECTION_URL", "postgresql+asyncpg://prod/db")
    monkeypatch.setenv("PREFECT_SERVER_API_BASE_PATH", "/v9")
    monkeypatch.setenv("PREFECT_SERVER_API_AUTH_STRING", "me:sesame")
    monkeypatch.setenv("UVICORN_WORKERS", "4")
    monkeypatch.setenv("WEB_CONCURRENCY", "4")

    server_module._start(tmp_path, tmp_path / "log", 4321)

    assert words[words.index("--host") + 1] == "127.0.0.1"
    assert make_url(told["PREFECT_SERVER_DATABASE_CONNECTION_URL"]).database == (
        f"{tmp_path}/prefect.db"
    )
    assert told["PREFECT_SERVER_API_AUTH_STRING"] == "me:sesame"
    foreign = {"PREFECT_SERVER_API_BASE_PATH", "UVICORN_WORKERS", "WEB_CONCURRENCY"}
    assert not foreign & told.keys()


def start_instead(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.delenv("PREFECT_HOME", raising=False)
    command = [sys.executable, "-P", "-c", code]
    monkeypatch.setattr(server_module, "ensure_database", lambda *_: None)
    monkeypatch.setattr(
        server_module,
        "_start",
        lambda folder, log, _: processes.start_tethered(command, log, folder, {}),
    )


def test_a_server_that_ends_at_once_is_one_line_with_its_last_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    start_instead(monkeypatch, "raise SystemExit('no such table')")

    with pytest.raises(ServerError, match=r"exit code 1 \(no such table\).*server.log"):
        prefect_server(tmp_path).__enter__()


@pytest.mark.parametrize(
    "words",
    ["Can't locate revision identified by 'f00d'", "database disk image is malformed"],
)
def test_a_database_that_is_newer_or_damaged_is_moved_by_the_command_that_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: str
) -> None:
    home = tmp_path / "a home"
    (home / "prefect").mkdir(parents=True)
    for name in ("prefect.db", "prefect.db-wal"):
        (home / "prefect" / name).write_text("newer")
    start_instead(monkeypatch, f"raise SystemExit({words!r})")

    with pytest.raises(ServerError) as caught:
        prefect_server(home).__enter__()
    command = str(caught.value).rpartition("out of the way: ")[2].removesuffix(".")
    subprocess.run(["sh", "-c", command], check=True)

    (aside,) = (home / "prefect").glob("prefect.db*")
    assert {entry.name for entry in aside.iterdir()} == {"prefect.db", "prefect.db-wal"}


def test_a_server_that_does_not_answer_is_given_up_and_killed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    start_instead(monkeypatch, "import time; time.sleep(60)")
    started = time.monotonic()

    with pytest.raises(ServerError, match=r"within 0\.5 s, found no answer"):
        prefect_server(tmp_path, start_limit_s=0.5).__enter__()

    assert time.monotonic() - started < 10
    assert psutil.Process().children() == []


# A server that answers everything, in place of Prefect's.
ANSWER = """
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    do_POST = do_GET
    def log_message(self, *_):
        pass
HTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""


@pytest.fixture
def quick_server(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Replaces the server; the folders of those that were started."""
    # Set before it is deleted, or the address that a test brings back would stay.
    monkeypatch.setenv("PREFECT_API_URL", "")
    monkeypatch.delenv("PREFECT_API_URL")
    monkeypatch.delenv("PREFECT_HOME", raising=False)
    monkeypatch.setattr(server_module, "_settle", lambda _: None)
    monkeypatch.setattr(server_module, "ensure_database", lambda *_: None)
    folders: list[Path] = []

    def start(folder: Path, log: Path, port: int) -> object:
        folders.append(folder)
        command = [sys.executable, "-P", "-c", ANSWER, str(port)]
        return server_module.start_tethered(command, log, folder, {})

    monkeypatch.setattr(server_module, "_start", start)
    return folders


def test_a_second_process_gets_a_server_with_a_database_of_its_own(
    tmp_path: Path, quick_server: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with prefect_server(tmp_path):
        first = os.environ["PREFECT_API_URL"]
        # Another process knows nothing of the address.
        monkeypatch.delenv("PREFECT_API_URL")
        with prefect_server(tmp_path):
            second = os.environ["PREFECT_API_URL"]
        monkeypatch.setenv("PREFECT_API_URL", first)

    with prefect_server(tmp_path):
        pass

    assert first != second
    # Where nobody is, the usual database goes on.
    assert [folder.name for folder in quick_server] == ["prefect", "prefect-2", "prefect"]
    assert {folder.parent for folder in quick_server} == {tmp_path}
    assert psutil.Process().children() == []
    assert list(tmp_path.rglob(".lock")) == []


def test_a_server_folder_that_the_user_names_is_used_and_shared_in_the_same_way(
    tmp_path: Path, quick_server: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "mine"))
    lock = try_lock(tmp_path / "mine" / ".lock")
    assert lock is not None

    with prefect_server(tmp_path / "home"):
        pass

    unlock(tmp_path / "mine" / ".lock", lock)
    assert [folder.name for folder in quick_server] == ["mine-2"]


def test_a_server_that_fails_to_start_leaves_its_folder_to_the_next(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    start_instead(monkeypatch, "raise SystemExit('no such table')")
    for _ in range(2):
        with pytest.raises(ServerError):
            prefect_server(tmp_path).__enter__()

    assert [folder.name for folder in tmp_path.iterdir()] == ["prefect"]
