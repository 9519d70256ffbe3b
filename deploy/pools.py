"""Prefect work pools: where flow runs wait for a worker."""

from dataclasses import dataclass

DRIVERS, SLOTS = "gradmix", "gradmix-slots"
DRIVER_LIMIT = 4


@dataclass(frozen=True)
class Pool:
    """A work pool of process workers.

    Attributes:
        name: its name.
        description: for people.
        limit: flow runs at a time; None leaves it to the workers, which each take one.
    """

    name: str
    description: str
    limit: int | None


POOLS = (
    Pool(DRIVERS, "Reproductions and other flows that hand work out.", DRIVER_LIMIT),
    Pool(SLOTS, "Trainings and other jobs: one worker per GPU or CPU core.", None),
)
