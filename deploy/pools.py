"""Prefect work pools: where flow runs wait for a worker."""

from dataclasses import dataclass

DRIVERS, SLOTS = "gradmix", "gradmix-slots"
DRIVER_LIMIT = 4


@dataclass(frozen=True)
class Pool:
    """A work pool.

    Attributes:
        name: its name.
        description: text shown in Prefect's UI.
        limit: maximum concurrent flow runs; None if each host takes as many as it has slots.
        processes: whether a worker of Prefect's starts a process for each flow run. If not, our own
            runner takes them, and Prefect has nothing to check for each.
    """

    name: str
    description: str
    limit: int | None
    processes: bool


POOLS = (
    Pool(DRIVERS, "Reproductions and other flows that submit work.", DRIVER_LIMIT, processes=True),
    Pool(SLOTS, "Trainings and other jobs, in the slots of all hosts.", None, processes=False),
)
