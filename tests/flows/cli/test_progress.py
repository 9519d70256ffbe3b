"""Progress as a user sees it: in a pipe and on a terminal."""

import io

import pytest
from rich.console import Console

from flows.cli.progress import Progress, duration
from flows.monitoring.counts import Counts, Work
from tasks.events import Event
from tasks.subjects import Subject

A, B, C = (
    Subject.of("A lr=0.05", 2, 0),
    Subject.of("B [bold]x[/red]", 2, 0),
    Subject.of("C", 2, 0),
)


def console(*, terminal, width=100):
    return Console(
        file=io.StringIO(),
        force_terminal=terminal,
        width=width,
        markup=False,
        emoji=False,
        highlight=False,
        color_system=None,
    )


@pytest.fixture
def plain(clock):
    """Progress of three trainings, of which A and B will run on two slots, in a pipe."""
    return Progress(console(terminal=False), Counts(Work(3, {A, B}, 2)))


def lines(progress):
    return progress._console.file.getvalue().splitlines()


def running(subject, step=0, accuracy=None, seconds=0.0, slot="cpu:0"):
    return Event(
        subject,
        "train",
        "running",
        step=step,
        steps=100,
        accuracy=accuracy,
        slot=slot,
        seconds=seconds,
    )


def test_a_pipe_gets_one_line_for_each_start_and_end(plain, clock, an_artifact):
    with plain.shown() as listen:
        listen(Event(A, "train", "running"))  # waits for a slot
        listen(running(A))
        listen(running(A, step=50, accuracy=0.25, seconds=10.0))
        clock.now += 80
        listen(running(A, step=100, accuracy=0.5, seconds=60.0))
        listen(Event(A, "train", "finished", artifact=an_artifact(0.875), seconds=70.0))
    assert lines(plain) == [
        f"        0 s  start     {A.label} on cpu:0",
        f" 1 min 20 s  finished  {A.label}  87.5%  (1/3 trainings, about 30 s left)",
    ]


def test_time_left_counts_what_is_still_to_run(plain, an_artifact):
    with plain.shown() as listen:
        listen(Event(C, "train", "cached", artifact=an_artifact()))
        for label in (A, B):
            listen(running(label, step=100, seconds=40.0))
            listen(Event(label, "train", "finished", artifact=an_artifact()))
    ends = [line for line in lines(plain) if "finished" in line]
    assert ends[0].endswith("(2/3 trainings, about 20 s left)")
    assert ends[1].endswith("(3/3 trainings)")


def test_a_training_that_turns_out_cached_is_no_longer_waited_for(plain, an_artifact):
    with plain.shown() as listen:
        listen(Event(B, "train", "cached", artifact=an_artifact()))
        listen(running(A, step=100, seconds=40.0))
        listen(Event(A, "train", "finished", artifact=an_artifact()))
    assert lines(plain)[-1].endswith("(2/3 trainings)")


def test_cached_stages_are_told_once_and_without_a_guess_of_the_time(plain, an_artifact):
    with plain.shown() as listen:
        for _ in range(2):
            listen(Event(A, "train", "cached", artifact=an_artifact(0.5)))
    assert lines(plain) == [f"        0 s  cached    {A.label}  50.0%"]


def test_quick_stages_take_no_line_and_slow_ones_do(plain):
    with plain.shown() as listen:
        listen(Event(Subject(name="split 1"), "split", "finished"))
        listen(Event(Subject(name="select 1"), "select", "finished"))
        listen(Event(Subject(name="enlarged V 1"), "enlarge", "running", slot="cpu:0"))
        listen(Event(Subject(name="enlarged V 1"), "enlarge", "finished"))
        listen(Event(Subject(name="svhn train"), "prepare", "finished"))
    assert lines(plain) == ["        0 s  finished  svhn train"]


def test_failures_stand_in_one_line_as_they_are_written(plain):
    with plain.shown() as listen:
        listen(
            Event(B, "train", "failed", message="it broke [exit code 2; log: /a/b] " + "x" * 200)
        )
    (line,) = lines(plain)
    assert line.startswith(
        f"        0 s  FAILED    {B.label}: it broke [exit code 2; log: /a/b] xxx"
    )


def test_failed_trainings_are_not_counted_as_done(plain, an_artifact):
    with plain.shown() as listen:
        listen(Event(A, "train", "failed", message="no"))
        listen(running(B, seconds=40.0))
        listen(Event(B, "train", "finished", artifact=an_artifact()))
    assert "(1/3 trainings" in lines(plain)[-1]


def test_a_terminal_shows_slot_step_accuracy_and_time_left(clock):
    progress = Progress(console(terminal=True), Counts(Work(3, {A, B}, 2)))
    progress.listen(running(B, step=25, accuracy=0.5, seconds=30.0, slot="cpu:1"))
    progress.listen(running(A, slot="cpu:0"))
    progress.listen(Event(C, "train", "running"))  # waits for a slot
    clock.now += 65
    screen = console(terminal=True)
    screen.print(progress._table())
    rows = [line.rstrip() for line in screen.file.getvalue().splitlines()]
    # B is a quarter through after 30 s, so 90 s are left of it, and A will take 120 s as well.
    assert rows[0] == "1 min 05 s  0/3 trainings done, about 1 min 45 s left"
    assert rows[1].split() == ["cell", "slot", "step", "hyper-validation", "time", "left"]
    assert rows[2].startswith(f"{A.label} ")
    assert rows[2].split()[-2:] == ["cpu:0", "0/100"]
    assert rows[3].startswith(f"{B.label} ")
    assert rows[3].endswith("cpu:1  25/100             50.0%  1 min 30 s")
    assert len(rows) == 4


def test_a_terminal_is_left_clean_and_keeps_failures(clock, an_artifact):
    progress = Progress(console(terminal=True), Counts(Work(2, {A, B}, 2)))
    with progress.shown() as listen:
        listen(running(A, step=10))
        listen(Event(A, "train", "finished", artifact=an_artifact()))
        listen(Event(B, "train", "failed", message="no [x]"))
    text = progress._console.file.getvalue()
    assert f"FAILED    {B.label}: no [x]" in text
    assert "finished" not in text
    # The cursor is given back, and the last thing done is to wipe the table.
    assert text.endswith("\x1b[2K")
    assert "\x1b[?25h" in text


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.6, "1 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (61, "1 min 01 s"),
        (3599.7, "1 h 00 min"),
        (7384, "2 h 03 min"),
    ],
)
def test_durations_are_said_as_people_say_them(seconds, words):
    assert duration(seconds) == words
