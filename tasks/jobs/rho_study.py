"""Job: the study of rho."""

from dataclasses import asdict
from pathlib import Path

import torch

from data.tables.image_set import load_prepared
from gradmix.metrics import score
from gradmix.sampling import Stream
from gradmix.steering import Steered
from gradmix.studies.probing import probe
from tasks.jobs.inputs.rho_study import RhoStudyJob
from tasks.jobs.models import job_method, load_model, prepare_device
from tasks.jobs.streams import held_out_samples, source_streams, target_stream
from tasks.outcome import Outcome

SETTLING = 50
"""Mini-batches per source after which running statistics have forgotten their initial values."""


def run(job: RhoStudyJob, folder: Path) -> Outcome:
    """Probe mini-batches at the training's random weights and at its finished model."""
    del folder
    device = prepare_device()
    target = load_prepared(job.target)
    streams, v = source_streams(job, target, device), target_stream(job, target, device)
    held_out = held_out_samples(job, target, device)
    names = [stream.name for stream in streams]
    method = job_method(job, target.images, names, device)
    if not isinstance(method, Steered):
        found = method.declaration.name
        raise TypeError(f"expected a method that mixes gradients, found {found}.")
    parts = []
    for start in ("initial", "trained"):
        if start == "trained":
            load_model(method.network, job.trained)
        else:
            _settle_statistics(method, streams)
        before = score(method.predict, held_out.images, held_out.labels).loss
        probes = [
            probe(
                method,
                [stream.next() for stream in streams],
                v.next(),
                held_out.images,
                held_out.labels,
                before=before,
            )
            for _ in range(job.probes)
        ]
        parts.append(
            {
                "start": start,
                "layers": list(method.flat.layer_names),
                "loss": before,
                "probes": [
                    {name: value for name, value in asdict(found).items() if name != "layers"}
                    for found in probes
                ],
            }
        )
    return Outcome({"parts": parts})


def _settle_statistics(method: Steered, streams: list[Stream]) -> None:
    """Let batch normalisation see the sources without changing weights.

    Losses are computed in prediction mode, with running statistics. If these are still 0 and 1,
    random weights predict a constant, whatever a step does.
    """
    method.network.train()
    with torch.no_grad():
        for _ in range(SETTLING):
            for stream in streams:
                batch = stream.next()
                method.network(batch.images, batch.head)
