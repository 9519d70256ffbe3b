"""One of two processes that train a model together; run by its test.

python -P two_processes.py RANK FOLDER WAY
"""

import sys
from contextlib import nullcontext
from pathlib import Path

import torch
from torch import distributed, nn

from gradmix import Mixer

WAYS = ("plain", "bucket views", "several passes", "unsynchronised passes")


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(8, 6), nn.Tanh(), nn.Linear(6, 3)).double()


def data(step: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Mini-batches of 8 of two sources and of the target, over all processes."""
    generator = torch.Generator().manual_seed(step)
    return [
        (
            torch.randn(8, 8, generator=generator, dtype=torch.float64),
            torch.randint(3, (8,), generator=generator),
        )
        for _ in range(3)
    ]


def trained(wrapped: nn.Module, rank: int | None, way: str) -> dict[str, torch.Tensor]:
    """Take three steps, in one process or, with a rank, on its part of every mini-batch."""
    mixer = Mixer(wrapped, ["web", "sport"], heads=["3"])
    optimizer = torch.optim.AdamW(wrapped.parameters(), lr=0.01)
    part = slice(None) if rank is None else slice(4 * rank, 4 * rank + 4)
    for step in range(3):
        optimizer.zero_grad()
        batches = [(x[part], y[part]) for x, y in data(step)]
        pieces = 1 if rank is None or way in {"plain", "bucket views"} else 2
        for piece in range(pieces):
            waits = way == "unsynchronised passes" and rank is not None and piece == 0
            for i, (x, y) in enumerate(batches):
                context = mixer.target() if i == 2 else mixer.source(mixer.sources[i])
                size = len(y) // pieces
                own = slice(piece * size, (piece + 1) * size)
                with wrapped.no_sync() if waits else nullcontext(), context:
                    (nn.functional.cross_entropy(wrapped(x[own]), y[own]) / pieces).backward()
        mixer.mix()
        optimizer.step()
    return {name: p.detach() for name, p in mixer._passes.module.named_parameters()}


def main(rank: int, folder: Path, way: str) -> None:
    """Train as one of two processes and save the weights."""
    torch.set_num_threads(1)
    store = f"file://{folder / 'store'}"
    distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=2)
    wrapped = nn.parallel.DistributedDataParallel(
        model(), gradient_as_bucket_view=way == "bucket views"
    )
    torch.save(trained(wrapped, rank, way), folder / f"{rank}.pt")
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
