"""Job: score finished models on the sealed test split."""

from pathlib import Path
from typing import Any

import torch

from data.sealed import open_sealed_test
from data.tables.file_names import PSEUDO_LABELS
from data.tables.image_set import ImageSet, load_prepared
from data.tables.pseudo_labels import PseudoLabels, read_pseudo_labels
from data.tables.right_answers import Right, write_right_answers
from data.tables.split import class_rows
from gradmix.metrics import right_clips, score
from gradmix.networks import Network, predict
from gradmix.sampling import Images
from tasks.jobs.audit import audit
from tasks.jobs.features import stored_maps
from tasks.jobs.inputs.evaluate import RIGHT, EvaluateJob
from tasks.jobs.models import prepare_device, trained_network
from tasks.jobs.streams import labels_in, rows_of
from tasks.outcome import Outcome

Scores = dict[str, Any]
"""Scores of one model, in plain JSON types."""


def run(job: EvaluateJob, folder: Path) -> Outcome:
    """Score each model once, and audit pseudo-labels against the true labels of U.

    Writes `RIGHT` to `output`.
    """
    device = prepare_device()
    test = open_sealed_test(job.test)
    rows = torch.from_numpy(class_rows(test.labels.numpy(), test.classes, job.classes))
    images: Images = rows_of(test.images, rows, device)
    if job.network.frozen:
        path = folder / "maps.npy"
        images = torch.from_numpy(stored_maps(job.network, job.weights, images, device, path))
    labels = labels_in(job.classes, test, rows).to(device)
    clip = None
    if test.samples is not None and test.samples.are_frames:
        clip = torch.from_numpy(test.samples.clip_numbers)[rows]
    scores: dict[Path, Scores] = {}
    right: dict[Path, Right] = {}
    for model in job.models.values():
        # A grid cell may also be a row of the table.
        if model.folder not in scores:
            network = trained_network(job, model, images, device)
            scores[model.folder], right[model.folder] = _scored(network, images, labels, clip)
    (folder / "output").mkdir(exist_ok=True)
    columns = {name: right[model.folder] for name, model in job.models.items()}
    write_right_answers(columns, folder / "output" / RIGHT)
    target = load_prepared(job.target)
    return Outcome(
        {
            "test": {name: scores[model.folder] for name, model in job.models.items()},
            "audits": {
                name: audit(table, _truth(job, target, table), len(job.classes))
                for name, path in job.pseudo_labels.items()
                for table in [read_pseudo_labels(path / PSEUDO_LABELS)]
            },
        }
    )


def _scored(
    network: Network, images: Images, labels: torch.Tensor, clip: torch.Tensor | None
) -> tuple[Scores, Right]:
    """Accuracy, loss and number of images, and the same of clips for frames.

    Also returns which images, or clips, are classified correctly.
    """
    seen = []

    def noted(batch: torch.Tensor) -> torch.Tensor:
        seen.append(predict(network, batch))
        return seen[-1]

    found: Scores = vars(score(noted, images, labels))
    predicted = torch.cat(seen)
    if clip is None:
        return found, (predicted.argmax(1) == labels).cpu().numpy()
    right = right_clips(predicted.softmax(1), labels, clip)
    share = float(right.double().mean())
    return {**found, "clip_accuracy": share, "clips": len(right)}, right.numpy()


def _truth(job: EvaluateJob, target: ImageSet, table: PseudoLabels) -> torch.Tensor:
    """True labels of U, known here and used only for the audit, after selection."""
    return labels_in(job.classes, target, torch.from_numpy(table.sample_id))
