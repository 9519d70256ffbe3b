"""Prefect work pools: where flow runs wait for a worker."""

from dataclasses import dataclass

DRIVERS, SLOTS = "gradmix", "gradmix-slots"
DRIVER_LIMIT = 4


@dataclass(frozen=True)
class Pool:
    """A work pool of process workers.

    Attributes:
        name: its name.
        description: text shown in Prefect's UI.
        limit: maximum concurrent flow runs; None if each host takes as many as it has slots.
    """

    name: str
    description: str
    limit: int | None


POOLS = (
    Pool(DRIVERS, "Reproductions and other flows that submit work.", DRIVER_LIMIT),
    Pool(SLOTS, "Trainings and other jobs, in the slots of all hosts.", None),
)
