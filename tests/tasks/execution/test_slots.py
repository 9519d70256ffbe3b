"""Slots, and processes in them."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from tasks.execution import slots as slots_module
from tasks.execution.processes import ChildFailedError
from tasks.execution.slots import Slot, SlotPool, SlotsStoppedError, run_in_slot

CPU = Slot("cpu:0")
# A command that starts a child of its own, writes both process ids and waits.
FAMILY = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print("pids", os.getpid(), child.pid, flush=True)
{ending}
"""


def python(code: str) -> list[str]:
    return [sys.executable, "-P", "-c", code]


def run(tmp_path: Path, code: str, **options: Any) -> str:
    log = tmp_path / "log.txt"
    options = {"poll": lambda: None, "poll_s": 0.05, **options}
    run_in_slot(python(code), CPU, log=log, cwd=tmp_path, **options)
    return log.read_text()


def pids_in(log: Path) -> list[int]:
    lines = log.read_text().splitlines() if log.exists() else []
    return [int(pid) for line in lines if line.startswith("pids") for pid in line.split()[1:]]


def ended(pids: list[int], within_s: float = 5.0) -> bool:
    """Whether all end in time; one that was adopted and nobody has reaped counts as ended."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        states = [state_of(pid) for pid in pids]
        if all(state in {None, psutil.STATUS_ZOMBIE} for state in states):
            return True
        time.sleep(0.02)
    return False


def state_of(pid: int) -> str | None:
    try:
        return psutil.Process(pid).status()
    except psutil.NoSuchProcess:
        return None


def raise_when(ready: Callable[[], object], error: BaseException) -> Callable[[], None]:
    def poll() -> None:
        if ready():
            raise error

    return poll


def test_output_goes_to_the_log_and_the_environment_is_the_slots(tmp_path: Path) -> None:
    code = (
        "import os; print(os.environ['OMP_NUM_THREADS'], repr(os.environ['CUDA_VISIBLE_DEVICES']))"
    )

    assert run(tmp_path, code) == "1 ''\n"


def test_the_log_of_an_earlier_attempt_is_kept(tmp_path: Path) -> None:
    run(tmp_path, "print('first')")

    assert run(tmp_path, "print('second')") == "first\nsecond\n"


def test_polls_while_it_runs_and_once_after_it_has_ended(tmp_path: Path) -> None:
    seen: list[bool] = []
    done = tmp_path / "done"
    code = f"import time, pathlib; time.sleep(.3); pathlib.Path({str(done)!r}).touch()"

    run(tmp_path, code, poll=lambda: seen.append(done.exists()))

    assert seen[0] is False
    assert seen[-1] is True


def test_a_failure_is_told_by_the_last_line_of_its_own_log(tmp_path: Path) -> None:
    run(tmp_path, "print('of an earlier attempt')")
    code = "import sys; print('expected 5 classes, found 4.\\n\\n'); sys.exit(2)"

    with pytest.raises(ChildFailedError) as raised:
        run(tmp_path, code)

    assert raised.value.exit_code == 2
    assert raised.value.last_line == "expected 5 classes, found 4."
    assert "\n" not in str(raised.value)
    with pytest.raises(ChildFailedError, match=r"it said nothing \[exit code 3"):
        run(tmp_path, "raise SystemExit(3)")


def test_a_killed_process_is_told_by_its_signal(tmp_path: Path) -> None:
    with pytest.raises(ChildFailedError, match="SIGKILL, out of memory"):
        run(tmp_path, "import os; os.kill(os.getpid(), 9)")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("no")])
def test_an_exception_ends_the_whole_process_group(tmp_path: Path, error: BaseException) -> None:
    log = tmp_path / "log.txt"

    with pytest.raises(type(error)):
        run(
            tmp_path,
            FAMILY.format(ending="time.sleep(60)"),
            poll=raise_when(lambda: pids_in(log), error),
        )

    assert len(pids_in(log)) == 2
    assert ended(pids_in(log))


def test_a_timeout_ends_the_whole_process_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, clock = tmp_path / "log.txt", SimpleNamespace(now=0.0)
    monkeypatch.setattr("tasks.execution.slots.time.monotonic", lambda: clock.now)

    def poll() -> None:
        # However slowly this machine starts a process, its time is over once it runs.
        clock.now = 101.0 if pids_in(log) else 99.0

    with pytest.raises(TimeoutError, match="within 100 s"):
        run(tmp_path, FAMILY.format(ending="time.sleep(60)"), timeout_s=100.0, poll=poll)
    monkeypatch.undo()

    pids = pids_in(log)
    assert len(pids) == 2
    assert ended(pids)


def test_what_a_finished_process_leaves_running_is_ended(tmp_path: Path) -> None:
    run(tmp_path, FAMILY.format(ending="sys.exit(0)"))

    pids = pids_in(tmp_path / "log.txt")
    assert len(pids) == 2
    assert ended(pids)


def test_no_slot_is_held_twice_and_all_are_used() -> None:
    pool = SlotPool([Slot("cpu:0"), Slot("cpu:1")])
    held: list[str] = []
    overlaps: list[str] = []
    most = 0

    def work() -> None:
        nonlocal most
        with pool.take() as slot:
            if slot.name in held:
                overlaps.append(slot.name)
            held.append(slot.name)
            most = max(most, len(held))
            time.sleep(0.01)
            held.remove(slot.name)

    threads = [threading.Thread(target=work) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert overlaps == []
    assert most == 2


def test_a_slot_comes_back_after_an_error() -> None:
    pool = SlotPool([CPU])
    with pytest.raises(ValueError, match="broken"), pool.take():
        raise ValueError("broken")

    with pool.take() as slot:
        assert slot == CPU


def test_stopping_the_pool_reaches_those_who_wait() -> None:
    pool = SlotPool([CPU])
    told: list[BaseException] = []

    def wait_for_a_slot() -> None:
        try:
            with pool.take():
                told.clear()
        except SlotsStoppedError as error:
            told.append(error)

    with pool.take():
        waiting = threading.Thread(target=wait_for_a_slot)
        waiting.start()
        pool.stop()
        waiting.join(5)
        with pytest.raises(SlotsStoppedError):
            pool.raise_if_stopped()

    assert len(told) == 1


# Slots that several processes share.

HOLD = """
import sys, time
from pathlib import Path
from tasks.execution.slots import Slot, SlotPool
with SlotPool([Slot("cpu:0")], Path(sys.argv[1])).take():
    print("held", flush=True)
    time.sleep(60)
"""
BOTH = [CPU, Slot("cpu:1")]


@pytest.fixture
def another_process(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds cpu:0 of this host."""
    command = [*python(HOLD), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots_module, "_RETRY_S", 0.005)


def test_the_slot_of_another_process_is_left_to_it(
    tmp_path: Path, another_process, impatient
) -> None:
    pool = SlotPool(BOTH, tmp_path)

    with pool.take() as first:
        assert first == BOTH[1]
    # Once more: the slot that was passed over is not lost, and neither is the other.
    with pool.take() as again:
        assert again == BOTH[1]


def test_a_slot_whose_holder_is_killed_is_free(tmp_path: Path, another_process, impatient) -> None:
    pool = SlotPool([CPU], tmp_path)
    killer = threading.Timer(0.05, another_process.kill)
    killer.start()

    with pool.take() as slot:
        assert slot == CPU
        assert another_process.wait(5) == -9

    assert list(tmp_path.iterdir()) == []


def test_two_pools_of_one_folder_never_hold_one_slot_at_a_time(tmp_path: Path, impatient) -> None:
    pools = [SlotPool(BOTH, tmp_path), SlotPool(BOTH, tmp_path)]
    held: list[str] = []
    overlaps: list[str] = []
    taken: set[str] = set()

    def work(pool: SlotPool) -> None:
        with pool.take() as slot:
            overlaps.extend(name for name in held if name == slot.name)
            held.append(slot.name)
            taken.add(slot.name)
            time.sleep(0.005)
            held.remove(slot.name)

    threads = [threading.Thread(target=work, args=(pools[n % 2],)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert overlaps == []
    assert taken == {"cpu:0", "cpu:1"}


def test_stopping_the_pool_reaches_those_who_wait_for_another_process(
    tmp_path: Path, another_process, impatient
) -> None:
    pool = SlotPool([CPU], tmp_path)
    stopper = threading.Timer(0.05, pool.stop)
    stopper.start()

    with pytest.raises(SlotsStoppedError), pool.take():
        pytest.fail("it is taken")


def test_a_slot_that_cannot_be_locked_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool, try_lock = SlotPool([CPU], tmp_path), slots_module.try_lock

    def broken(path: Path) -> int:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(slots_module, "try_lock", broken)
    with pytest.raises(OSError, match="No locks available"), pool.take():
        pytest.fail("it is not locked")

    monkeypatch.setattr(slots_module, "try_lock", try_lock)
    with pool.take() as slot:
        assert slot == CPU


def test_slots_of_other_hosts_are_other_slots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Two hosts mount one home folder, and each has a cpu:0 of its own.
    with SlotPool([CPU], tmp_path).take():
        monkeypatch.setattr(slots_module.socket, "gethostname", lambda: "another-host")
        with SlotPool([CPU], tmp_path).take() as slot:
            assert slot == CPU


@pytest.mark.parametrize("slots", [[], [CPU, CPU]])
def test_a_pool_needs_slots_that_can_be_told_apart(slots: list[Slot]) -> None:
    with pytest.raises(ValueError, match="different names"):
        SlotPool(slots)


def test_without_cuda_every_core_is_a_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots_module, "usable_devices", list)
    monkeypatch.setattr(slots_module, "usable_cores", lambda: 3)

    assert [slot.name for slot in SlotPool.of_this_machine().slots] == ["cpu:0", "cpu:1", "cpu:2"]
    assert len(SlotPool.of_this_machine(limit=2).slots) == 2
    with pytest.raises(ValueError, match="at least 1 slot"):
        SlotPool.of_this_machine(limit=0)


def test_a_gpu_slot_knows_its_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots_module, "usable_devices", lambda: ["GPU-aa", "GPU-bb"])

    assert SlotPool.of_this_machine().slots == (Slot("cuda:0", "GPU-aa"), Slot("cuda:1", "GPU-bb"))
