"""Time and memory of a step of `Mixer` over those of k + 1 plain passes; run it by itself.

python -P tests/benchmarks/mixer_cost.py [--model resnet18] [--sources 2] [--batch 16] [--pairs 20]

The plain step makes the same k + 1 forward and backward passes into one gradient, and the same
optimiser step: what is left is the mixing. Time is that of the thread, on one thread, of steps of
both in turn; the figure is the median of the pairs' ratios with its quartiles. On a GPU it is the
wall clock of finished kernels. Memory is the peak of a process of its own over what it holds
before the first step, activations too, in gradients (one gradient: all trained numbers once).
"""

import argparse
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from gradmix import Mixer

WARM_UP = 3
MODELS = {
    "mlp": lambda: nn.Sequential(
        nn.Flatten(), nn.Linear(3072, 2048), nn.ReLU(), nn.Linear(2048, 2048), nn.ReLU(),
        nn.Linear(2048, 10),
    ),
    "resnet18": lambda: __import__("torchvision").models.resnet18(num_classes=10),
    "resnet50": lambda: __import__("torchvision").models.resnet50(num_classes=10),
}  # fmt: skip
WAYS = ("plain", "mixer", "mixer every 10", "mixer, cpu")


def step_of(way: str, given: argparse.Namespace) -> tuple[Callable[[], None], int]:
    """One training step of a fresh model, and the bytes of one gradient."""
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = MODELS[given.model]().to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    sources = [f"S{i + 1}" for i in range(given.sources)]
    data = [
        (torch.randn(given.batch, 3, 32, 32, device=device), torch.zeros(given.batch).long())
        for _ in range(given.sources + 1)
    ]
    settings = {"every": 10 if "every" in way else 1, "memory": "cpu" if "cpu" in way else "device"}
    mixer = Mixer(model, sources, **settings)

    def backward(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
        nn.functional.cross_entropy(model(batch[0]), batch[1].to(device)).backward()

    def plain() -> None:
        optimizer.zero_grad()
        for batch in data:
            backward(batch)
        optimizer.step()

    def mixed() -> None:
        optimizer.zero_grad()
        for name, batch in zip(sources, data, strict=False):
            with mixer.source(name):
                backward(batch)
        if mixer.due:
            with mixer.target():
                backward(data[-1])
        mixer.mix()
        optimizer.step()

    return (plain if way == "plain" else mixed), 4 * sum(p.numel() for p in model.parameters())


def seconds(step: Callable[[], None]) -> float:
    """Of the thread, or of the GPU's work."""
    clock = time.thread_time
    if torch.cuda.is_available():
        torch.cuda.synchronize()
        clock = time.perf_counter
    started = clock()
    step()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return clock() - started


def memory(what: str) -> int:
    """Bytes in use (`VmRSS`) or at the highest (`VmHWM`), of this process or of its GPU."""
    if torch.cuda.is_available():
        now = what == "VmRSS"
        return torch.cuda.memory_allocated() if now else torch.cuda.max_memory_allocated()
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (kilobytes,) = re.findall(rf"^{what}:\s+(\d+) kB$", status, re.MULTILINE)
    return 1024 * int(kilobytes)


def gradients_at_peak(way: str, given: argparse.Namespace) -> float:
    """Peak of three steps over the memory before them, in gradients."""
    step, size = step_of(way, given)
    # Linux forgets the peak of the imports.
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = memory("VmRSS")
    for _ in range(3):
        step()
    return (memory("VmHWM") - before) / size


def in_a_process(way: str) -> str:
    """The same in a process of its own."""
    command = [sys.executable, "-P", __file__, *sys.argv[1:], "--memory-of", way]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def main() -> None:
    """Print a line for every way."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", choices=MODELS, default="resnet18")
    parser.add_argument("--sources", type=int, default=2)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--memory-of", choices=WAYS)
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.memory_of:
        sys.stdout.write(f"{gradients_at_peak(given.memory_of, given):.1f}\n")
        return
    write = sys.stdout.write
    write(f"{given.model}, {given.sources} sources, batch {given.batch}, {given.pairs} pairs\n")
    write(f"{'way':16} {'ms':>8} {'ratio':>6}  {'quartiles':14} peak in gradients\n")
    base, _ = step_of("plain", given)
    for way in WAYS:
        step, _ = step_of(way, given)
        pairs = [(seconds(base), seconds(step)) for _ in range(WARM_UP + given.pairs)][WARM_UP:]
        low, middle, high = statistics.quantiles([b / a for a, b in pairs], n=4)
        milliseconds = 1000 * statistics.median(b for _, b in pairs)
        quartiles = f"{low:.2f} to {high:.2f}"
        write(f"{way:16} {milliseconds:8.1f} {middle:6.2f}  {quartiles:14} {in_a_process(way)}\n")


if __name__ == "__main__":
    main()
