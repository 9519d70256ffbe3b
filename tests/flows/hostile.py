"""Environments and paths that a user, a cluster or an attacker may leave: made from a seed."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence

VARIABLES = (
    "PREFECT_API_URL",
    "PREFECT_API_KEY",
    "PREFECT_API_AUTH_STRING",
    "PREFECT_API_REQUEST_TIMEOUT",
    "PREFECT_API_SSL_CERT_FILE",
    "PREFECT_API_DATABASE_CONNECTION_URL",
    "PREFECT_CLIENT_CUSTOM_HEADERS",
    "PREFECT_CLIENT_MAX_RETRIES",
    "PREFECT_FLOWS_DEFAULT_RETRIES",
    "PREFECT_HOME",
    "PREFECT_LOCAL_STORAGE_PATH",
    "PREFECT_LOGGING_CONFIG_PATH",
    "PREFECT_LOGGING_EXTRA_LOGGERS",
    "PREFECT_LOGGING_LEVEL",
    "PREFECT_PLUGINS_ENABLED",
    "PREFECT_PROFILE",
    "PREFECT_PROFILES_PATH",
    "PREFECT_RESULTS_DEFAULT_SERIALIZER",
    "PREFECT_SERVER_API_AUTH_STRING",
    "PREFECT_SERVER_API_PORT",
    "PREFECT_SERVER_DATABASE_CONNECTION_URL",
    "PREFECT_TASKS_REFRESH_CACHE",
    "PREFECT_TEST_MODE",
    "PREFECT_UI_API_URL",
    "PREFECT_WORKER_QUERY_SECONDS",
    "MLFLOW_ARTIFACTS_DESTINATION",
    "MLFLOW_BACKEND_STORE_URI",
    "MLFLOW_ENABLE_ASYNC_LOGGING",
    "MLFLOW_EXPERIMENT_ID",
    "MLFLOW_HTTP_REQUEST_TIMEOUT",
    "MLFLOW_LOGGING_LEVEL",
    "MLFLOW_REGISTRY_URI",
    "MLFLOW_SQLALCHEMYSTORE_POOLCLASS",
    "MLFLOW_TRACKING_TOKEN",
    "MLFLOW_TRACKING_URI",
    "GRADMIX_HOME",
    "GRADMIX_STORAGE",
    "GRADMIX_FORK",
    "CUDA_VISIBLE_DEVICES",
    "MPLBACKEND",
    "MPLCONFIGDIR",
    "MATPLOTLIBRC",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "PYTORCH_CUDA_ALLOC_CONF",
    "TORCH_HOME",
    "TORCH_LOGS",
    "HTTP_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "HOME",
    "XDG_CACHE_HOME",
    "TZ",
    "COLUMNS",
    "TERM",
    "UVICORN_WORKERS",
    "WEB_CONCURRENCY",
)
VALUES = (
    "",
    " ",
    "garbage",
    "-1",
    "\N{SNOWMAN}",
    "caf\udce9",
    "/nonexistent/a?b%41#c",
    "~nosuchuser/x",
    "x" * 5000,
    "http://user:sesame@127.0.0.1:9/",
    "socks5://127.0.0.1:9",
    "a\nb",
    "{'a': 1",
    "$(touch hacked)",
)
NAMES = (
    "a b",
    "q?x",
    "p%41x",
    "a#b",
    "a'b",
    'a"b',
    "a\\b",
    "a;b",
    "a&b=c",
    "$HOME",
    "`id`",
    "-rf",
    "--home",
    "[red]",
    "{home}",
    "%s",
    "a\nb",
    "a\tb",
    " lead",
    "trail ",
    "...",
    ".hidden",
    "~",
    "~x",
    "caf\N{LATIN SMALL LETTER E WITH ACUTE}",
    "cafe\N{COMBINING ACUTE ACCENT}",
    "\N{SNOWMAN}",
    "\N{HEBREW LETTER ALEF}",
    "\N{RIGHT-TO-LEFT OVERRIDE}abc",
    "\N{ZERO WIDTH SPACE}",
    "caf\udce9",
    "x" * 200,
    "x" * 300,
    "CON",
    "aux.txt",
    "a:b",
    "a@b:c",
    "a,b",
    "a=b",
    "a|b",
    "a*b",
    "<a>",
    "a+b",
    "1e5",
    "null",
    "None",
    "true",
    "tasks",
    "data.py",
    "sqlite:",
    "http:",
    "file:",
)


def environments(number: int, seed: int) -> Iterator[dict[str, str]]:
    """So many environments: each variable alone with each value, in an order of the seed."""
    pairs = [(name, value) for name in VARIABLES for value in VALUES]
    random.Random(seed).shuffle(pairs)
    return ({name: value} for name, value in pairs[:number])


def is_fair(code: int, out: str, err: str) -> bool:
    """Whether a command has worked, or said in one line what is wrong."""
    if code == 0:
        return True
    lines: Sequence[str] = err.splitlines()
    return code == 2 and len(lines) == 1 and lines[0].startswith("gradmix: ")


# In one process, forked for each: the imports of a command cost seconds.
SERIES = """
import json, os, sys
import gradmix_launcher
gradmix_launcher.claim_packages()
import flows.cli.commands.plan, flows.cli.commands.status, flows.cli.lazy, deploy.cli
from tasks.execution.prefect_settings import load_prefect
for line in sys.stdin:
    case = json.loads(line)
    child = os.fork()
    if child == 0:
        os.environ.update(case["environment"])
        with open(case["log"], "w") as log:
            os.dup2(log.fileno(), 2)
        with open(case["out"], "w") as out:
            os.dup2(out.fileno(), 1)
        sys.argv = ["gradmix", *case["words"]]
        try:
            code = gradmix_launcher.main()
        except SystemExit as error:
            code = error.code
        except BaseException:
            import traceback
            traceback.print_exc()
            code = 1
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Series:
    """Commands, each in a fork of one process that has imported what they need."""

    def __init__(self, folder):
        hidden = ("PREFECT_", "MLFLOW_", "GRADMIX_")
        clean = {k: v for k, v in os.environ.items() if not k.startswith(hidden)}
        self.log, self.out = folder / "err.txt", folder / "out.txt"
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", SERIES],
            cwd=folder,
            env=clean,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, words, environment):
        case = {"words": words, "environment": environment, "log": str(self.log)}
        case["out"] = str(self.out)
        self.process.stdin.write(f"{json.dumps(case)}\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline()), self.log.read_text(errors="replace")

    def end(self):
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()
