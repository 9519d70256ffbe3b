"""Experiment files with random damage: each can be planned, or is refused in exact lines.

`GRADMIX_MUTATIONS` of them in the slow tests, a few in the default ones.
"""

import os
import random
import signal
from contextlib import contextmanager

import pytest

from data.digest_cache import KnownDigests
from data.errors import UserError
from flows.experiment.run_request import RunRequest
from flows.experiment.run_spec import resolve
from flows.pipeline.plan import make_plan
from tests.data.test_mutations import damaged

FEW, MANY = 40, int(os.environ.get("GRADMIX_MUTATIONS", "1000"))
LIMIT_S = 120
VALUES = (
    *("0", "-1", "1e308", "nan", "-inf", "9223372036854775808", "1000000", "0.5", "true", '""'),
    *('"x"', '"../x"', '"\\u0000"', "[]", "[[]]", "[0]", '["a", 1]', "{}", "{ a = 1 }", "{"),
    *("1979-05-27", "'''", "[1, 1]", '["5", "6"]', '["\\u2603", "\\u0301"]', "0x10", "1_000"),
)


def with_a_line_gone(lines, draw):
    del lines[draw.randrange(len(lines))]


def with_a_line_twice(lines, draw):
    place = draw.randrange(len(lines))
    lines.insert(draw.randrange(len(lines)), lines[place])


def with_two_lines_swapped(lines, draw):
    one, other = draw.randrange(len(lines)), draw.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]


def with_another_value(lines, draw):
    place = draw.choice([i for i, line in enumerate(lines) if "=" in line] or [0])
    lines[place] = f"{lines[place].partition('=')[0]}= {draw.choice(VALUES)}\n"


def with_another_name(lines, draw):
    place = draw.randrange(len(lines))
    letters = list(lines[place])
    draw.shuffle(letters)
    lines[place] = "".join(letters)


LINE_CHANGES = (
    with_a_line_gone,
    with_a_line_twice,
    with_two_lines_swapped,
    with_another_value,
    with_another_value,
    with_another_name,
)


def changed(text, seed):
    """The text with one to three changes of lines, or with bytes damaged."""
    draw = random.Random(seed)
    if draw.random() < 1 / 3:
        return damaged(text.encode(), seed)
    lines = text.splitlines(keepends=True)
    for _ in range(draw.randint(1, 3)):
        draw.choice(LINE_CHANGES)(lines, draw)
    return "".join(lines).encode(errors="surrogateescape")


@contextmanager
def limited(seconds):
    """Whatever takes longer hangs."""

    def stop(number, frame):
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def outcomes(text, folder, seeds):
    """How many can be planned; every other one must be refused in lines."""
    path, planned = folder / "own.toml", 0
    known = KnownDigests()
    for seed in seeds:
        path.write_bytes(changed(text, seed))
        try:
            with limited(LIMIT_S):
                spec = resolve(RunRequest(experiment=str(path), scale="tiny"), known)
                assert make_plan(spec, folder / "home")
            planned += 1
        except UserError as error:
            lines = [line.removeprefix(f"{folder}/") for line in error.lines]
            assert lines, seed
            assert [line for line in lines if not line.strip() or "xpected" not in line] == [], seed
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error!r}") from error
    return planned


def test_damaged_experiment_files_are_planned_or_refused_in_lines(tiny_text, tmp_path):
    outcomes(tiny_text, tmp_path, range(FEW))


@pytest.mark.slow
def test_a_thousand_damaged_experiment_files_are_planned_or_refused_in_lines(tiny_text, tmp_path):
    assert 0 < outcomes(tiny_text, tmp_path, range(MANY)) < MANY
