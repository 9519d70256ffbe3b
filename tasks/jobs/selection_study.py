"""Job: the study of hyper-validation sizes."""

import statistics
from pathlib import Path

import torch
from torch.nn import functional

from data.tables.image_set import load_prepared
from gradmix.metrics import BATCH
from gradmix.networks import predict
from gradmix.studies.selection import selection_by_size
from tasks.jobs.inputs.selection_study import SelectionStudyJob
from tasks.jobs.models import prepare_device, trained_network
from tasks.jobs.streams import held_out_samples
from tasks.outcome import Outcome


def run(job: SelectionStudyJob, folder: Path) -> Outcome:
    """Predict hyper-validation with every cell, then select on subsets of it."""
    del folder
    device = prepare_device()
    target = load_prepared(job.target)
    held_out = held_out_samples(job, target, device)
    right, losses = [], []
    for model in job.models:
        network = trained_network(job, model, target.images, device)
        starts = range(0, len(held_out.images), BATCH)
        logits = torch.cat(
            [predict(network, held_out.images[start : start + BATCH]) for start in starts]
        )
        right.append((logits.argmax(1) == held_out.labels).cpu())
        losses.append(functional.cross_entropy(logits, held_out.labels, reduction="none").cpu())
    n = len(held_out.labels)
    found = selection_by_size(
        torch.stack(right),
        torch.stack(losses),
        job.values,
        sorted({*(size for size in job.sizes if size < n), n}),
        job.selections,
        job.seed,
    )
    return Outcome(
        {
            "cells": len(job.values),
            "mean": statistics.fmean(job.values),
            "best": max(job.values),
            "sizes": [
                {
                    "size": result.size,
                    "selections": result.selections,
                    "test_accuracy": result.mean,
                    "deviation": result.deviation,
                }
                for result in found
            ],
        }
    )
