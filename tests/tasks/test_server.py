"""Prefect's server: as a child that is never left behind."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tasks import server as server_module
from tasks.server import ServerError, prefect_server

# The flow runs in a process of its own: Prefect's settings and threads are global to one.
MAIN = """
import os, sqlite3, sys, time
from pathlib import Path
from tasks.environment import configure
home = Path(sys.argv[1])
configure(home)
from tasks.server import prefect_server
from prefect import flow, task
from prefect.cache_policies import CacheKeyFnPolicy
from prefect.futures import wait
from prefect.task_runners import ThreadPoolTaskRunner

@task(cache_policy=CacheKeyFnPolicy(cache_key_fn=lambda _, given: f"square-{given['x']}"),
      persist_result=True, result_serializer="json")
def square(x):
    return x * x

@task
def fail():
    raise ValueError("on purpose")

@flow(task_runner=ThreadPoolTaskRunner(max_workers=8))
def squares():
    futures = [square.submit(x) for x in range(40)] + [fail.submit()]
    wait(futures)
    return [future.state.name for future in futures]

with prefect_server(home):
    print(",".join(squares()), flush=True)
assert "PREFECT_API_URL" not in os.environ
with sqlite3.connect(home / "prefect" / "prefect.db") as database:
    print(database.execute("select state_name, count(*) from task_run group by 1 order by 1")
          .fetchall(), flush=True)
with prefect_server(home):
    print(",".join(squares()), flush=True)
    print("up", os.environ["PREFECT_API_URL"], flush=True)
    time.sleep(60)
"""


@pytest.mark.flow
def test_flows_run_quietly_are_cached_and_no_server_survives_kill_9(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    with subprocess.Popen(
        [sys.executable, "-P", "-c", MAIN, str(tmp_path)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as main:
        assert main.stdout is not None
        assert main.stderr is not None
        lines = [main.stdout.readline().strip() for _ in range(4)]
        children = psutil.Process(main.pid).children(recursive=True)
        main.kill()
        complaints = main.stderr.read()

    assert lines[0] == "Completed," * 40 + "Failed"
    # A server stopped before it has recorded what it was told would miss some.
    assert lines[1] == "[('Completed', 40), ('Failed', 1)]"
    assert lines[2] == "Cached," * 40 + "Failed"
    assert complaints == ""
    assert lines[3].startswith("up http://127.0.0.1:")
    assert len(children) == 1
    _, alive = psutil.wait_procs(children, timeout=10)
    assert [child for child in alive if child.status() != psutil.STATUS_ZOMBIE] == []


def test_a_server_that_is_there_is_used_as_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://prefect:4200/api")

    with prefect_server(tmp_path):
        assert os.environ["PREFECT_API_URL"] == "http://prefect:4200/api"

    assert os.environ["PREFECT_API_URL"] == "http://prefect:4200/api"
    assert list(tmp_path.iterdir()) == []


def start_instead(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.delenv("PREFECT_HOME", raising=False)
    command = [sys.executable, "-P", "-c", code]
    monkeypatch.setattr(
        server_module,
        "_start",
        lambda folder, log, _: server_module.start_tethered(command, log, folder, {}),
    )


def test_a_server_that_ends_at_once_is_one_line_with_its_last_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    start_instead(monkeypatch, "raise SystemExit('no such table')")

    with pytest.raises(ServerError, match=r"exit code 1 \(no such table\).*server.log"):
        prefect_server(tmp_path).__enter__()


def test_a_server_that_does_not_answer_is_given_up_and_killed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    start_instead(monkeypatch, "import time; time.sleep(60)")
    started = time.monotonic()

    with pytest.raises(ServerError, match=r"within 0\.5 s, found no answer"):
        prefect_server(tmp_path, start_limit_s=0.5).__enter__()

    assert time.monotonic() - started < 10
    assert psutil.Process().children() == []
