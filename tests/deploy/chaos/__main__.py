"""Faults one by one during a reproduction on a fleet, and what became of it; run it by itself.

python -P tests/deploy/chaos [--experiment FILE] [--scale NAME] [--out DIR] [--faults NAME ...]
python -P tests/deploy/chaos --kills 100 [--seed 0] ...

Prints a Markdown table of the faults, and of how often each training was executed. Exits with 1 if
anything that was finished was lost or done again, a run or process was left behind, or the figures
differ from those of an undisturbed run on the local engine. With --kills, parts of the fleet and
the command are killed at random moments of as many reproductions as it takes.
"""

import argparse
import itertools
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import httpx
from bench import LIMIT_S, Bench, free_port, mentioning, say
from faults import ALL, FAULTS, KILLS


def record_of(home: Path) -> dict[str, Any]:
    (path,) = (home / "reproductions").glob("*/record.json")
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return record


def figures(home: Path) -> dict[str, float]:
    rows = record_of(home)["rows"]
    return {f"{row['row']} {row['k']} {row['draw']}": row["test_accuracy"] for row in rows}


def unfinished_runs(bench: Bench) -> list[str]:
    """Flow runs that the server takes for unfinished."""
    answer = httpx.post(
        f"{bench.fleet.api_url}/flow_runs/filter",
        json={"flow_runs": {"state": {"type": {"any_": ["RUNNING", "PENDING", "SCHEDULED"]}}}},
        timeout=30,
    )
    return [f"{run['name']}: {run['state']['name']}" for run in answer.json()]


def running_in_mlflow(bench: Bench) -> int:
    """MLflow runs that are still RUNNING."""
    url = f"{bench.fleet.mlflow_url}/api/2.0/mlflow"
    found = httpx.post(f"{url}/experiments/search", json={"max_results": 10}).json()
    ids = [experiment["experiment_id"] for experiment in found["experiments"]]
    query = {"experiment_ids": ids, "filter": "attributes.status = 'RUNNING'", "max_results": 100}
    return len(httpx.post(f"{url}/runs/search", json=query, timeout=60).json().get("runs", []))


def verdict(bench: Bench, expected: dict[str, float]) -> list[str]:
    """Everything that is not as it should be."""
    wrong = []
    starts = bench.executions()
    again = {name for name, count in bench.starts_of_finished.items() if starts[name] > count}
    if again:
        wrong.append(f"finished trainings done again: {sorted(again)}")
    twice = {name for name, count in starts.items() if count > 1}
    if twice - bench.disturbed:
        wrong.append(f"trainings done again that no fault hit: {sorted(twice - bench.disturbed)}")
    if bench.in_flight():
        wrong.append(f"trainings begun and not there: {sorted(bench.in_flight())}")
    if figures(bench.home) != expected:
        wrong.append("the figures differ from those of an undisturbed run")
    if zombies := unfinished_runs(bench):
        wrong.append(f"flow runs left unfinished: {zombies}")
    if running := running_in_mlflow(bench):
        wrong.append(f"MLflow runs left running: {running}")
    spools = ("tracking-spool.jsonl", "tracking-spool.rejected.jsonl")
    left = [name for name in spools if (bench.home / name).exists()]
    return wrong + [f"writes are left in {name}" for name in left]


def table(bench: Bench) -> str:
    lines = ["| fault | when | what was seen |", "|---|---|---|"]
    lines += [f"| {' | '.join(row)} |" for row in bench.rows]
    counts = Counter(bench.executions().values())
    said = ", ".join(f"{counts[n]} trainings {n} time{'s' * (n > 1)}" for n in sorted(counts))
    return "\n".join([*lines, "", f"Executions: {said}."])


def run(bench: Bench, faults: list[str], expected: dict[str, float]) -> list[str]:
    """All of it; returns what went wrong."""
    bench.up()
    try:
        bench.driver = bench.reproduce("workers")
        if faults != [KILLS]:
            bench.go_on()
        for name in faults:
            ALL[name](bench)
        for process in (bench.driver, bench.second):
            if process is not None and process.wait(LIMIT_S) != 0:
                return [f"a reproduction ended with exit code {process.returncode}"]
        again = bench.reproduce("workers")
        before = bench.executions()
        wrong = [] if again.wait(LIMIT_S) == 0 else ["the same command again failed"]
        wrong += [] if bench.executions() == before else ["the same command again trained"]
        bench.wait("the last runs to be closed", lambda: not unfinished_runs(bench), 240)
        return wrong + verdict(bench, expected)
    finally:
        for process in (bench.driver, bench.second):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
        bench.call("down")
        left = [" ".join(process.cmdline())[:120] for process in mentioning(bench.home)]
        if left:
            say(f"LEFT BEHIND: {left}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiment", default=str(Path(__file__).with_name("cells.toml")))
    parser.add_argument("--scale", default="cells")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--faults", nargs="+", default=list(FAULTS), choices=list(FAULTS))
    parser.add_argument(
        "--kills", type=int, default=0, help="number of random kills, instead of the faults"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the moments of random kills")
    options = parser.parse_args()
    out = options.out or Path(tempfile.mkdtemp(prefix="chaos-"))
    out.mkdir(parents=True, exist_ok=True)
    calm = Bench(out / "calm", options.experiment, options.scale, 0, 0)
    if not (calm.home / "reproductions").exists():
        say("an undisturbed run on the local engine")
        assert calm.reproduce("local").wait(2 * LIMIT_S) == 0
    expected, draw, kills, wrong = figures(calm.home), Random(options.seed), 0, list[str]()
    for number in itertools.count(1):
        home = out / (f"home-{number}" if options.kills else "home")
        bench = Bench(
            home,
            options.experiment,
            options.scale,
            free_port(),
            free_port(),
            draw=draw,
            most_kills=options.kills - kills,
        )
        wrong += run(bench, [KILLS] if options.kills else options.faults, expected)
        wrong += [f"process left: {' '.join(p.cmdline())[:120]}" for p in mentioning(home)]
        sys.stdout.write(f"{table(bench)}\n")
        kills += bench.kills
        if wrong or kills >= options.kills:
            break
    for line in wrong:
        sys.stdout.write(f"WRONG: {line}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
