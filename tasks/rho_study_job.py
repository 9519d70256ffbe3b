"""The study of rho, as it runs inside a slot process."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from data.prepared import load_prepared
from gradmix.probing import probe
from gradmix.steering import Steered
from tasks.train_job import (
    hyper_validation,
    job_method,
    load_model,
    prepare_device,
    source_streams,
    target_stream,
)


def run(job: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Probe mini-batches at the training's random weights and at its finished model."""
    del folder
    device = prepare_device()
    target = load_prepared(Path(job["target"]))
    streams, v = source_streams(job, target, device), target_stream(job, target, device)
    held_out = hyper_validation(job, target, device)
    method = job_method({**job, "initial": None}, [stream.name for stream in streams], device)
    if not isinstance(method, Steered):
        raise TypeError(f"expected a method that mixes gradients, found {method.name}.")
    parts = []
    for start in ("initial", "trained"):
        if start == "trained":
            load_model(method.network, Path(job["trained"]))
        probes = [
            probe(
                method,
                [stream.next() for stream in streams],
                v.next(),
                held_out.images,
                held_out.labels,
            )
            for _ in range(job["probes"])
        ]
        parts.append(
            {
                "start": start,
                "layers": list(method.flat.layer_names),
                "probes": [
                    {name: value for name, value in asdict(found).items() if name != "layers"}
                    for found in probes
                ],
            }
        )
    return {"summary": {"parts": parts}}
