"""The ensemble of a run on held-out samples: the stage, executed by itself."""

from pathlib import Path

from data.tables.file_names import HELD_OUT
from flows.labelling.ensemble_run import EnsembleRun
from tasks.codec import decode
from tasks.engine.runtime import LOCKS, Runtime, use
from tasks.execution.slot_runner import SlotRunner
from tasks.execution.slots import SlotPool
from tasks.networks.description import NetworkDescription
from tasks.stages import held_out
from tasks.storage.artifacts import Store
from tasks.storage.remote import open_storage
from tasks.subjects import Subject
from tasks.tracking.tracker import EXPERIMENT, open_tracker


def held_out_table(run: EnsembleRun) -> Path:
    """Path of the table of held-out samples, which is made in a slot if missing.

    Raises:
        StageError: if it cannot be made.
    """
    config = run.pseudo.document["config"]
    inputs = held_out.HeldOutInputs(
        subject=Subject.of(
            f"held-out labels and the top {run.labels.r}", run.labels.k, run.labels.draw
        ),
        ensemble=run.ensemble,
        target=run.target,
        classes=tuple(config["classes"]),
        splits=run.splits,
        network=decode(NetworkDescription, config["network"], sparse=True),
        heads={name: tuple(classes) for name, classes in config["heads"].items()},
    )
    home = run.home
    runner = SlotRunner(home, SlotPool.of_this_machine(locks=home / LOCKS))
    runtime = Runtime(
        store=Store(home, open_storage()),
        train=runner,
        cores=runner,
        tracker=open_tracker(home, EXPERIMENT),
        parent_run_id=run.record.run_id,
        listen=lambda _: None,
    )
    with use(runtime):
        artifact = held_out.STAGE.perform(inputs)
    return home / artifact.folder / HELD_OUT
