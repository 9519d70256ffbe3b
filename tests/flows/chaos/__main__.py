"""`kill -9` at random moments of a tiny reproduction, each followed by the same command.

python -P tests/flows/chaos [--moments 100] [--seed 0] [--at-once 2] [--kinds NAME ...] [--out DIR]

Prints a table as Markdown, and writes it and every trial to DIR as table.md and trials.json. Exits
with 1 if a process outlived its command by 5 s, finished work ran again, a digest differs from
those of an undisturbed run, a temporary file was left, or the last command did not end well.
"""

import argparse
import json
import math
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from kinds import KINDS, Moments
from trial import Found, Trial, finished

USUAL_MOMENTS = 100
NEW_CACHES = 4
"""Every fourth trial makes the databases as on a new machine; the others copy them."""
_HEADER = (
    "| killed | moments | trials | left after 5 s | finished work run again | other digests "
    "| files left | other commands ended with | last command ended with |"
)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One trial to come."""

    number: int
    kind: str
    kills: int
    seed: int


def plans(moments: int, seed: int, kinds: Sequence[str]) -> list[Plan]:
    """Trials whose kills add up to so many moments or more, kinds in turn."""
    shares = {name: KINDS[name][2] for name in kinds}
    found = []
    for name in kinds:
        _, kills, share = KINDS[name]
        trials = math.ceil(moments * share / sum(shares.values()) / kills)
        found += [(name, kills, place / trials) for place in range(trials)]
    # Each kind is spread over the whole series: whoever stops it early has something of each.
    found.sort(key=lambda entry: entry[2])
    return [
        Plan(number=number, kind=name, kills=kills, seed=1000 * seed + number)
        for number, (name, kills, _) in enumerate(found)
    ]


def calm(out: Path) -> tuple[dict[str, str], float]:
    """Digests of an undisturbed run by identity, and the CPU-seconds of its command.

    Those of an earlier series in the same folder are used again.
    """
    told = out / "calm.json"
    if told.exists():
        found: dict[str, dict[str, str]] = json.loads(told.read_text(encoding="utf-8"))
        return found["digests"], float(found["seconds"]["command"])
    trial, used_s = Trial(out / "calm"), 0.0
    process = trial.start()
    while process.poll() is None:
        times = process.cpu_times()
        used_s = times.user + times.system
        time.sleep(0.05)
    assert process.returncode == 0, (trial.folder / "log.txt").read_text()
    digests = {key: digest for key, (_, digest) in finished(trial.home).items()}
    content = {"digests": digests, "seconds": {"command": str(used_s)}}
    told.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return digests, used_s


def attempt(plan: Plan, out: Path, expected: dict[str, str], whole_s: float) -> Found:
    """Make one trial."""
    cache = None if plan.number % NEW_CACHES == 0 else out / "calm" / "cache"
    trial = Trial(out / f"{plan.number:03} {plan.kind}", cache)
    moments = Moments(plan.seed, whole_s)
    try:
        found = KINDS[plan.kind][0](trial, moments, plan.kills, expected)
    finally:
        for process in trial.processes():
            process.kill()
    about = json.dumps(asdict(found))
    say(f"{plan.number:3} {plan.kind}: {'WRONG ' if found.wrong else ''}{about}")
    return found


def table(results: Sequence[tuple[Plan, Found]]) -> str:
    """The figures by kind, as Markdown."""
    lines = [_HEADER, f"|---{'|---:' * (_HEADER.count('|') - 2)}|"]
    kinds = list(dict.fromkeys(plan.kind for plan, _ in results))
    for kind in [*sorted(kinds, key=list(KINDS).index), "all"]:
        own = [found for plan, found in results if kind in (plan.kind, "all")]
        counts = [
            sum(found.kills for found in own),
            len(own),
            *(sum(len(getattr(found, name)) for found in own) for name in WRONGS),
            codes(code for found in own for code in found.codes[:-1]),
            codes(found.last for found in own),
        ]
        lines.append(f"| {' | '.join(map(str, [kind, *counts]))} |")
    return "\n".join(lines)


WRONGS = ("orphans", "again", "differing", "files")


def codes(found: Sequence[int | None]) -> str:
    """Exit codes with their numbers."""
    counted = Counter(found)
    return ", ".join(f"{code} ({counted[code]})" for code in sorted(counted, key=str)) or "-"


def say(text: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stderr.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moments", type=int, default=USUAL_MOMENTS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--at-once", type=int, default=1)
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    out = options.out or Path(tempfile.mkdtemp(prefix="kills-"))
    out.mkdir(parents=True, exist_ok=True)
    say(f"everything is written below {out}; an undisturbed run comes first")
    expected, whole_s = calm(out)
    say(f"undisturbed: {len(expected)} artifacts, {whole_s:.1f} CPU-seconds of the command")
    todo = plans(options.moments, options.seed, options.kinds)
    with ThreadPoolExecutor(options.at_once) as pool:
        run = partial(attempt, out=out, expected=expected, whole_s=whole_s)
        results = list(zip(todo, pool.map(run, todo), strict=True))
    text = table(results)
    (out / "table.md").write_text(f"{text}\n", encoding="utf-8")
    trials = [{**asdict(plan), **asdict(found)} for plan, found in results]
    (out / "trials.json").write_text(json.dumps(trials, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(f"{text}\n")
    return int(any(found.wrong for _, found in results))


if __name__ == "__main__":
    sys.exit(main())
