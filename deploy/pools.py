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
        processes: whether Prefect workers start a process for each flow run. If not,
            `deploy.host_runner` takes the runs, and the pool has no job template, which Prefect
            would validate for every run.
    """

    name: str
    description: str
    limit: int | None
    processes: bool


POOLS = (
    Pool(DRIVERS, "Reproductions and other flows that submit work.", DRIVER_LIMIT, processes=True),
    Pool(SLOTS, "Trainings and other jobs, in the slots of all hosts.", None, processes=False),
)
