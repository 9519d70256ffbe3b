"""What a fleet is started with, and what is refused."""

import http.server
import json
import os
import socket
import threading
from pathlib import Path

import pytest

from deploy.health import answers, is_free
from deploy.options import Options, share_password, take_password
from deploy.preflight import refuse
from tasks.execution.fleet_state import FOLDER, Child, Fleet, FleetError, state_file, write_fleet
from tasks.execution.processes import Process
from tasks.storage.locks import try_lock, unlock

SERVER = "PREFECT_SERVER_API_AUTH_STRING"
CLIENT = "PREFECT_API_AUTH_STRING"


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    for name in (SERVER, CLIENT, "PREFECT_HOME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def listener():
    """A port that somebody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


@pytest.fixture
def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return port


@pytest.fixture
def server():
    """An http server that is well at /api/health and nowhere else."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path.startswith("/api/health") else 404)
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()


def test_options_travel_to_the_supervisor_unchanged(tmp_path):
    options = Options(tmp_path, 2, "10.0.0.1", 4201, 5001)

    assert Options.from_text(options.to_text()) == options
    assert Options.from_text(Options(tmp_path).to_text()) == Options(tmp_path)


def test_addresses_follow_host_and_ports(tmp_path):
    assert Options(tmp_path).api_url == "http://127.0.0.1:4200/api"
    assert Options(tmp_path).mlflow_url == "http://127.0.0.1:5000"
    assert Options(tmp_path, host="10.0.0.1", prefect_port=1).api_url == "http://10.0.0.1:1/api"
    assert Options(tmp_path, host="::1").api_url == "http://[::1]:4200/api"
    # Every address of the host: clients need one of them.
    everywhere = Options(tmp_path, host="0.0.0.0").api_url  # noqa: S104
    assert everywhere == f"http://{socket.gethostname()}:4200/api"


@pytest.mark.parametrize("joined", ["http://h:4200", "http://h:4200/", "http://h:4200/api"])
def test_a_host_that_joins_uses_the_others_api_and_no_mlflow(tmp_path, joined):
    options = Options(tmp_path, join=joined)

    assert (options.api_url, options.mlflow_url) == ("http://h:4200/api", None)


def test_an_address_that_others_reach_needs_a_password(tmp_path, monkeypatch):
    for host in ("0.0.0.0", "10.0.0.1", "gpu-7"):  # noqa: S104
        with pytest.raises(FleetError, match=rf"--host {host}: expected a password .*{SERVER}"):
            Options(tmp_path, host=host).check()
    for host in ("127.0.0.1", "127.0.0.7", "::1", "localhost"):
        Options(tmp_path, host=host).check()
    # The address of a host that joins is not its own.
    Options(tmp_path, host="10.0.0.1", join="http://10.0.0.2:4200").check()

    monkeypatch.setenv(SERVER, "me:secret")
    Options(tmp_path, host="10.0.0.1").check()


def test_the_servers_password_is_its_clients_unless_they_have_one(monkeypatch):
    share_password()
    assert CLIENT not in os.environ

    monkeypatch.setenv(SERVER, "me:secret")
    monkeypatch.setenv(CLIENT, "other:secret")
    share_password()
    assert os.environ[CLIENT] == "other:secret"

    monkeypatch.delenv(CLIENT)
    share_password()
    assert os.environ[CLIENT] == "me:secret"


def test_a_server_answers_where_it_is_well(server, free_port, monkeypatch):
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port}")

    assert answers(f"{server}/api/health?x=1")
    assert not answers(f"{server}/nowhere")
    assert not answers(f"http://127.0.0.1:{free_port}/api/health")


def test_a_port_is_free_until_somebody_listens(listener, free_port):
    assert is_free("127.0.0.1", free_port)
    assert not is_free("127.0.0.1", listener)
    with pytest.raises(OSError, match=r"."):
        is_free("203.0.113.7", free_port)


@pytest.mark.parametrize(
    ("option", "ports"), [("--prefect-port", (0, 1)), ("--mlflow-port", (1, 0))]
)
def test_a_taken_port_is_named_with_its_option(tmp_path, listener, free_port, option, ports):
    chosen = [(listener, free_port)[index] for index in ports]
    options = Options(tmp_path, prefect_port=chosen[0], mlflow_port=chosen[1])

    with pytest.raises(FleetError, match=rf"port {listener} of 127.* taken; .*{option}\."):
        refuse(options)


def test_an_address_of_another_machine_is_one_line(tmp_path, free_port):
    with pytest.raises(FleetError, match=r"--host 203.0.113.7: expected an address of this mach"):
        refuse(Options(tmp_path, host="203.0.113.7", prefect_port=free_port))


def test_a_fleet_keeps_off_the_database_of_a_running_command(tmp_path, free_port):
    options = Options(tmp_path, prefect_port=free_port, mlflow_port=free_port)
    lock = tmp_path / "prefect" / ".lock"
    held = try_lock(lock)
    with pytest.raises(FleetError, match="whose server uses it; wait until it has finished"):
        refuse(options)

    unlock(lock, held)
    refuse(options)


def state_of(host, servers):
    child = Child("prefect", Process(1, 1.0))
    return Fleet("http://h/api", None, host, Process(1, 1.0), True, (child,) * servers, ())


def test_another_hosts_fleet_is_joined_not_doubled(tmp_path, free_port):
    options = Options(tmp_path, prefect_port=free_port, mlflow_port=free_port)
    (tmp_path / FOLDER).mkdir()
    # One that gives slots only is no fleet of its own; one's own state is of an earlier life.
    write_fleet(tmp_path, state_of("slots-only", 0))
    write_fleet(tmp_path, state_of(socket.gethostname(), 1))
    refuse(options)

    write_fleet(tmp_path, state_of("other-host", 1))
    with pytest.raises(FleetError, match=r"found other-host's; .*--join.*other-host\.json"):
        refuse(options)
    assert state_file(tmp_path, "other-host").exists()


def test_joining_needs_a_server_that_answers(tmp_path, server, free_port):
    refuse(Options(tmp_path, join=server))

    with pytest.raises(FleetError, match=r"--join .*found no answer"):
        refuse(Options(tmp_path, join=f"http://127.0.0.1:{free_port}"))


@pytest.mark.parametrize("address", ["head:4200", "http://", "http://head:abc", "ftp://head", ""])
def test_an_address_to_join_that_is_none_is_one_line(tmp_path, address):
    with pytest.raises(FleetError, match=r"^--join: expected an address such as [^\n]*correct it"):
        Options(tmp_path, join=address).check()
    Options(tmp_path, join="https://head").check()


def test_a_host_that_joins_without_a_slot_gives_nothing(tmp_path):
    with pytest.raises(FleetError, match="expected slots to give, found --workers 0"):
        Options(tmp_path, workers=0, join="http://head:4200").check()
    Options(tmp_path, workers=0).check()


def test_options_hold_no_secret(tmp_path, monkeypatch):
    monkeypatch.setenv(SERVER, "me:secret")

    assert "me:secret" not in Options(tmp_path).to_text()
    assert set(json.loads(Options(Path("/h")).to_text())) == {
        "home",
        "workers",
        "host",
        "prefect_port",
        "mlflow_port",
        "join",
        "slots_per_gpu",
    }


@pytest.mark.parametrize(
    ("given", "address", "password"),
    [
        ("http://me:geheim@head:4200", "http://head:4200", "me:geheim"),
        ("https://me:p%40w%3A@[::1]:1/api", "https://[::1]:1/api", "me:p@w:"),
        ("http://head:4200", "http://head:4200", None),
        ("http://[head", "http://[head", None),
    ],
)
def test_a_password_in_the_address_to_join_goes_to_the_environment(
    monkeypatch, given, address, password
):
    monkeypatch.setenv(CLIENT, "")
    monkeypatch.delenv(CLIENT)

    assert take_password(given) == address
    assert os.environ.get(CLIENT) == password
