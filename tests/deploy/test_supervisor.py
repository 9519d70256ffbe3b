"""A supervisor with stand-ins for servers and workers: in order, again, and none left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from itertools import pairwise

import psutil
import pytest

from deploy.services import Service
from deploy.supervisor import ManagedProcess
from tasks.execution.fleet_state import log_file, read_fleet, state_file
from tasks.storage.locks import try_lock

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties children to parents")

SERVER = """
import http.server, signal, sys, time
def end(*_):
    open("ends", "a").write("server ")
    sys.exit()
signal.signal(signal.SIGTERM, end)
class Well(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def log_message(self, *_): pass
with http.server.HTTPServer(("127.0.0.1", 0), Well) as httpd:
    open("port.tmp", "w").write(str(httpd.server_port))
    __import__("os").replace("port.tmp", "port")
    httpd.serve_forever()
"""
WORKER = """
import signal, subprocess, sys, time
def end(*_):
    open("ends", "a").write("worker ")
    sys.exit()
signal.signal(signal.SIGTERM, end)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)", "grandchild"])
time.sleep(300)
"""
MAIN = """
import sys
from pathlib import Path
from deploy import supervisor
from deploy.options import Options
from deploy.services import Service
home = Path(sys.argv[1])
def answers(url):
    port = home / "port"
    return port.exists() and real(f"http://127.0.0.1:{port.read_text()}/")
real, supervisor.answers = supervisor.answers, answers
supervisor.servers = lambda _: [Service("prefect", [sys.executable, "-c", sys.argv[2]])]
supervisor.workers = lambda _: [
    Service("h-cpu:0", [sys.executable, "-c", sys.argv[3]], pool="gradmix-slots")]
sys.exit(supervisor.main(Options(home).to_text()))
"""


def until(ready, limit_s=30):
    deadline = time.monotonic() + limit_s
    while not (found := ready()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def environment():
    """This process's variables, less what other tests have set for Prefect and MLflow."""
    hidden = ("PREFECT_", "MLFLOW_")
    return {k: v for k, v in os.environ.items() if not k.startswith(hidden)}


@contextmanager
def supervised(home):
    """A supervisor over the home folder, once it is ready; killed at the end."""
    log_file(home, "supervisor").parent.mkdir(parents=True)
    command = [sys.executable, "-P", "-c", MAIN, str(home), SERVER, WORKER]
    with subprocess.Popen(command, env=environment(), cwd=home) as process:
        try:
            until(lambda: (fleet := read_fleet(home)) and fleet.ready and fleet)
            until(lambda: len(psutil.Process(process.pid).children(recursive=True)) == 3)
            yield process
        finally:
            process.kill()


def gone(processes):
    _, alive = psutil.wait_procs(processes, timeout=10)
    return [p for p in alive if p.status() != psutil.STATUS_ZOMBIE] == []


@linux
def test_what_dies_is_started_again_and_sigterm_stops_workers_before_servers(tmp_path):
    with supervised(tmp_path) as process:
        before = read_fleet(tmp_path)
        assert (before.api_url, before.mlflow_url) == (
            "http://127.0.0.1:4200/api",
            "http://127.0.0.1:5000",
        )
        assert [(c.name, c.pool, c.starts) for c in before.children] == [
            ("prefect", "", 1),
            ("h-cpu:0", "gradmix-slots", 1),
        ]
        # Commands with a server of their own keep off the database.
        assert try_lock(tmp_path / "prefect" / ".lock") is None

        (worker,) = before.workers
        grandchildren = psutil.Process(worker.process.pid).children()
        os.kill(worker.process.pid, signal.SIGKILL)
        after = until(
            lambda: (f := read_fleet(tmp_path)) and f.workers[0].starts == 2 and f.workers[0]
        )
        assert after.process.pid != worker.process.pid
        assert gone(grandchildren)
        assert read_fleet(tmp_path).servers == before.servers

        everything = psutil.Process(process.pid).children(recursive=True)
        # Long enough for the worker to hear a signal.
        until(lambda: len(psutil.Process(after.process.pid).children()) == 1)
        process.terminate()
        assert process.wait(30) == 0

    assert gone(everything)
    assert (tmp_path / "ends").read_text() == "worker server "
    assert not state_file(tmp_path).exists()
    assert try_lock(tmp_path / "prefect" / ".lock") is not None


@linux
def test_kill_9_of_the_supervisor_leaves_no_child(tmp_path):
    with supervised(tmp_path) as process:
        children = psutil.Process(process.pid).children()
        process.kill()
        process.wait()

        assert gone(children)
        assert read_fleet(tmp_path) is None


@linux
def test_a_second_supervisor_gives_up_at_once(tmp_path):
    with supervised(tmp_path) as process:
        arguments = json.dumps({"home": str(tmp_path)})
        second = subprocess.run(
            [sys.executable, "-P", "-m", "deploy.supervisor", arguments],
            capture_output=True,
            text=True,
            env=environment(),
            timeout=60,
            check=False,
        )
        assert second.returncode == 1
        assert second.stderr.startswith("expected the database in ")
        assert read_fleet(tmp_path).supervisor.pid == process.pid


def test_a_service_that_keeps_failing_is_tried_less_and_less_often(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("deploy.supervisor.time.monotonic", lambda: now[0])
    log_file(tmp_path, "x").parent.mkdir(parents=True)
    process = ManagedProcess(Service("x", [sys.executable, "-c", ""]), tmp_path)
    starts = []
    while len(starts) < 8:
        if process.poll() and process.child.process is not None:
            starts.append(now[0])
            process._process.wait()
            process.poll()
        now[0] += 0.5

    waits = [later - earlier for earlier, later in pairwise(starts)]
    assert waits == [1, 2, 4, 8, 16, 30, 30]
    assert process.child.starts == 8


def test_a_service_that_ran_for_a_while_is_started_again_soon(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("deploy.supervisor.time.monotonic", lambda: now[0])
    log_file(tmp_path, "x").parent.mkdir(parents=True)
    process = ManagedProcess(Service("x", [sys.executable, "-c", ""]), tmp_path)
    process._failures = 5
    assert process.poll()
    process._process.wait()
    now[0] += 61

    assert process.poll()
    assert process.child.process is None
    now[0] += 1
    assert process.poll()
    assert process.child.starts == 2
    process._process.wait()
