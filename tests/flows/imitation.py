"""A stand-in for Prefect that commits made-up results of every stage."""

import json
from types import SimpleNamespace

import numpy as np

from data.tables.right_answers import write_right_answers
from tasks.codec import decode, encode, replace_leaves
from tasks.stages import select as selection
from tasks.storage.artifacts import SUBJECT, Artifact, Store


def made_up_curve(number):
    """Two validations, other ones for every training."""
    figures = [(10, 0.4, 2.0 + number), (20, 0.5, 1.0 + number)]
    return [
        {"step": step, "hyper_validation/accuracy": accuracy, "hyper_validation/loss": loss}
        for step, accuracy, loss in figures
    ]


class Made:
    """A future of a stand-in for Prefect: an artifact, or why there is none."""

    def __init__(self, label, artifact=None, error=None):
        self.label, self.artifact, self.error = label, artifact, error

    def result(self):
        return decode(Artifact, json.loads(json.dumps(encode(self.artifact))))


def resolved(inputs):
    return replace_leaves(inputs, Made, lambda future: future.artifact)


class Imitation:
    """A `Submit` that commits made-up results at once, in the layout of the real ones."""

    def __init__(self, home, scope, seconds=2.0):
        self.store, self.scope, self.seconds = Store(home), scope, seconds
        self.trained = 0

    def __call__(self, stage, inputs, after=()):  # noqa: ARG002 - a Submit
        arguments = resolved(inputs)
        request = stage.describe(arguments)
        found = self.store.find(request)
        if found is None:
            output = self.store.work(request) / "output"
            output.mkdir()
            (output / "model.pt").write_text(request.identity)
            summary, notes = getattr(self, f"_{stage.name}")(arguments, output)
            about = {"scope": self.scope, SUBJECT: encode(request.subject)}
            notes = {"run_id": f"run-{request.identity[:6]}", **about, **notes}
            found = self.store.commit(request, output, summary, notes, {})
        return Made(request.label, found)

    def _prepare(self, arguments, _output):
        digest = f"content of {arguments.reader} {arguments.split}"
        return {
            "content": digest,
            "dataset": arguments.reader,
            "split": arguments.split,
            "origin": "made up",
            "official": False,
            "samples": 30,
        }, {}

    def _weights(self, arguments, _output):
        return {"content": arguments.digest}, {}

    def _extract(self, arguments, _output):
        about = {"classes": ["Jump", "Run"], "origin": "made up", "official": False}
        return {"content": f"frames of {arguments.split}", "about": about}, {}

    def _pictures(self, arguments, output):
        prepared, _ = self._prepare(arguments, output)
        clips = {"clips": 4} if arguments.frames else {}
        return {**prepared, **clips, "skipped": {"why": 2}, "broken": 1}, {}

    def _split(self, arguments, _output):
        if hasattr(arguments, "held_out"):
            return self._labelled_split(arguments), {}
        name = f"{arguments.k} {arguments.draw} {arguments.seed}"
        roles = ("hyper_validation", "V", "U")
        counts = {
            "hyper_validation": arguments.hyper_validation,
            "V": arguments.k * len(arguments.classes),
        }
        return {"digests": {role: f"{role} {name}" for role in roles}, "counts": counts}, {}

    def _labelled_split(self, arguments):
        name = f"{vars(arguments.held_out)} {sorted(arguments.corrections.items())}"
        held = 1 if arguments.held_out.fold is not None else arguments.held_out.count or 0
        if arguments.held_out.share is not None:
            held = 2 * max(1, round(3 * arguments.held_out.share))
        files = {"hyper_validation": held, "V": 6 - held, "U": 3}
        frames = 10 if "clips" in arguments.target.summary else 1
        return {
            "digests": {role: f"{role} {name}" for role in files},
            "counts": {role: frames * count for role, count in files.items()},
            "clips": files,
            "labelled": [3, 3],
            "corrected": len(arguments.corrections),
            "rejected": 0,
        }

    def _train(self, _arguments, output):
        self.trained += 1
        (output / "curve.json").write_text(json.dumps(made_up_curve(self.trained)))
        summary = {
            "accuracy": 0.5 + 0.01 * self.trained,
            "loss": 1.0 / self.trained,
            "best_step": 10,
            "last_accuracy": 0.4,
            "steps": 20,
        }
        model = f"model-{self.trained}"
        notes = {"seconds": self.seconds, "model_id": model, "resumed_from": 0}
        return summary, {**notes, "run_id": f"run-{model}"}

    def _select(self, arguments, output):
        outcome = selection.execute(SimpleNamespace(output=output), arguments)
        return outcome.summary, outcome.notes

    def _pseudo_label(self, _arguments, _output):
        counts = {"unlabelled": 100, "agreed": 60, "per_class": [30, 30]}
        return {"content": "labels", **counts}, {}

    def _enlarge(self, _arguments, _output):
        return {"content": "enlarged", "per_class": [5, 4], "pseudo": 5}, {}

    def _evaluate(self, arguments, output):
        n = len(arguments.models)
        rows = {
            name: {"accuracy": 0.9 - 0.1 * i / n, "n": 50}
            for i, name in enumerate(arguments.models)
        }
        if "clips" in arguments.test.summary:
            for scores in rows.values():
                scores |= {"clip_accuracy": scores["accuracy"] + 0.05, "clips": 8}
        right = {name: np.arange(50) < round(50 * row["accuracy"]) for name, row in rows.items()}
        write_right_answers(right, output / "right.parquet")
        audit = {
            "calibration": [],
            "thresholds": [],
            "coverage": 0.6,
            "precision": 0.9,
            "precision_per_class": [0.9, 0.9],
            "count_per_class": [30, 30],
            "soft_accuracy": 0.8,
        }
        return {"test": rows, "audits": dict.fromkeys(arguments.pseudo, audit)}, {}

    def _selection_study(self, arguments, _output):
        return {"cells": len(arguments.cells), "mean": 0.8, "best": 0.9, "sizes": []}, {}

    def _rho_study(self, _arguments, _output):
        parts = [
            {"start": start, "layers": [], "loss": 0.7, "probes": []}
            for start in ("initial", "trained")
        ]
        return {"parts": parts}, {}
