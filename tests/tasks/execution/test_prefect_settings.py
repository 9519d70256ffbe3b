"""Prefect's settings come from the environment, and wrong ones are one line."""

import json
import os
import subprocess
import sys

import pytest

from tasks.execution.processes import without

# In a process of its own: Prefect reads its settings when it is imported.
MAIN = """
import json, logging, os, sys
from pathlib import Path
from tasks.errors import VariableError
from tasks.execution.environment import configure
from tasks.execution.prefect_settings import load_prefect, refresh
home, wrong = Path(sys.argv[1]), json.loads(sys.argv[2])
configure(home)
lines = []
for name, value in wrong:
    os.environ[name] = value
    try:
        load_prefect()
        lines.append(None)
    except VariableError as error:
        lines.append(str(error))
    del os.environ[name]
    configure(home)
load_prefect()
from prefect.settings import Settings, get_current_settings
os.environ["PREFECT_API_URL"] = "http://127.0.0.1:1/api"
refresh()
from prefect.logging.configuration import setup_logging
setup_logging()
print(json.dumps({
    "lines": lines,
    "timeouts": [get_current_settings().api.request_timeout, Settings().api.request_timeout],
    "url": get_current_settings().api.url,
    "folder": os.getcwd(),
    "internal": logging.getLogger("prefect._internal.concurrency").isEnabledFor(logging.ERROR),
}))
"""

WRONG = [
    ("PREFECT_LOGGING_LEVEL", "verbose", "'DEBUG', 'INFO', 'WARNING', 'ERROR' or 'CRITICAL'"),
    ("PREFECT_INTERNAL_LOGGING_LEVEL", "loud", "'DEBUG', 'INFO', 'WARNING', 'ERROR' or 'CRITICAL'"),
    ("PREFECT_SERVER_API_PORT", "abc", "a valid integer"),
    ("PREFECT_SERVER_UI_ENABLED", "perhaps", "a valid boolean"),
    ("PREFECT_CLIENT_CUSTOM_HEADERS", "xx", "a value that Prefect takes"),
    ("PREFECT_TASKS_DEFAULT_RETRIES", "often", "a valid integer"),
]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    home, here = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("project")
    (here / ".env").write_text("PREFECT_API_REQUEST_TIMEOUT=7\nPREFECT_LOGGING_LEVEL=x\n")
    (here / "pyproject.toml").write_text("[tool.prefect.api]\nrequest_timeout = 8\n")
    (here / "prefect.toml").write_text("no toml = [\n")
    words = [str(home), json.dumps([row[:2] for row in WRONG])]
    done = subprocess.run(
        [sys.executable, "-P", "-W", "error", "-c", MAIN, *words],
        cwd=here,
        env=without(os.environ, ["PREFECT_", "MLFLOW_"]),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return {**json.loads(done.stdout), "here": str(here)}


def test_a_wrong_value_is_one_line_with_its_variable(found: dict[str, object]) -> None:
    assert found["lines"] == [
        f"{name}: expected {what}, found {shown!r}; correct it, or unset it."
        for name, value, what in WRONG
        # Headers may hold a password.
        for shown in ["***" if name.endswith("HEADERS") else value]
    ]


def test_events_that_cannot_be_sent_stay_off_the_terminal(found: dict[str, object]) -> None:
    assert found["internal"] is False


def test_files_in_the_working_directory_count_for_nothing(found: dict[str, object]) -> None:
    assert found["timeouts"] == [60.0, 60.0]
    assert found["folder"] == found["here"]


def test_a_change_of_the_environment_is_read(found: dict[str, object]) -> None:
    assert found["url"] == "http://127.0.0.1:1/api"
