"""The home folder of a finished run with an ensemble's labels of U, made without a training."""

import json
import shutil
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from data.fingerprint import digest_json
from data.reader import RawImages, Samples
from data.tables.file_names import HELD_OUT, PSEUDO_LABELS
from data.tables.held_out import HeldOut, write_held_out
from data.tables.prepared import save_prepared
from data.tables.pseudo_labels import Member, PseudoLabels, min_confidence, write_pseudo_labels
from data.tables.split import Split
from data.tables.split_file import save_split
from tasks.storage.artifacts import Request, Store
from tasks.storage.home import open_home
from tasks.subjects import Subject

CLASSES = ("cup", "knife", "pan")
NAME = "kitchen-default-12345678"
R = 3


def probabilities(labels, rng, sharpness):
    """Softmax scores [N, R, C] of members that lean to the labels."""
    logits = rng.normal(size=(len(labels), R, len(CLASSES)))
    logits[np.arange(len(labels)), :, labels] += sharpness[:, None]
    odds = np.exp(logits)
    return (odds / odds.sum(2, keepdims=True)).astype(np.float32)


def finished_run(folder: Path, *, photos: bool = True, unlabelled: int = 60, held: int = 300):
    """A home folder; the true labels of U, and the folder of the photos, if there are any."""
    made, truth, agreed = _made(photos, unlabelled, held)
    shutil.copytree(made.name, folder, dirs_exist_ok=True)
    home, data = folder / "home", folder / "data"
    _record(home, data if photos else None, unlabelled, agreed)
    return home, truth.copy(), data / "kitchen"


@cache
def _made(photos: bool, unlabelled: int, held: int):
    """All but the record, to be copied: its folder, the true labels of U, how many agree."""
    made = TemporaryDirectory()
    folder = Path(made.name)
    rng = np.random.default_rng(0)
    home = open_home(folder / "home")
    count = unlabelled + held
    truth = rng.integers(0, len(CLASSES), count)
    scores = probabilities(truth, rng, np.linspace(6, -0.5, count)[rng.permutation(count)])
    u, held_rows = np.arange(unlabelled), np.arange(unlabelled, count)
    names = [f"day {row % 3}/{row:04d}.png" for row in range(count)]
    images = (truth[:, None, None, None] * 80 + rng.integers(0, 60, (count, 24, 24, 3))).astype(
        np.uint8
    )
    data = folder / "data"
    if photos:
        for name, image in zip(names[:unlabelled], images, strict=False):
            (data / "kitchen" / name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).resize((64, 48)).save(data / "kitchen" / name)
    samples = Samples(names=tuple(names), clips=tuple(names), groups=tuple(names))
    raw = RawImages(
        images=images,
        labels=truth.astype(np.int64),
        classes=CLASSES,
        origin="kitchen",
        official=False,
        samples=samples if photos else None,
    )
    target = _artifact(home, "prepare", {}, {}, lambda to: save_prepared(raw, to, sealed=False))
    split = Split(hyper_validation=held_rows, v=np.array([], np.int64), u=u)
    used = {"target": target.digest, "U": "u" * 64}
    digests = {"hyper_validation": "h" * 64, "V": "v" * 64, "U": "u" * 64}
    _artifact(
        home, "split", {"target": target.digest},
        {"digests": digests, "counts": {"hyper_validation": held}},
        lambda to: save_split(split, to / "split.parquet"),
    )  # fmt: skip
    members = [
        {"identity": f"identity {r}", "digest": f"digest {r}", "folder": "", "method": "gradmix",
         "sources": []} for r in range(R)
    ]  # fmt: skip
    _artifact(home, "select", {}, {"members": members}, lambda _: None)
    used |= {
        f"member {r}": digest_json([member["identity"], member["digest"]])
        for r, member in enumerate(members)
    }
    mean = scores[u].mean(1)
    voted = mean.argmax(1)
    agreed = (scores[u].argmax(2) == voted[:, None]).all(1) & (scores[u].max(2) > 0.8).all(1)
    table = PseudoLabels(
        sample_id=u,
        source=[f"kitchen/train:{names[row] if photos else row}" for row in u],
        hard_label=np.where(agreed, voted, -1),
        agreed=agreed,
        min_confidence=min_confidence(scores[u].transpose(1, 0, 2)),
        soft_label=mean,
        member_probabilities=scores[u],
        classes=CLASSES,
        threshold=0.8,
        members=tuple(Member(identity=member["identity"]) for member in members),
        digests={"U": "u" * 64},
    )
    config = {"classes": list(CLASSES), "threshold": 0.8, "network": {}, "heads": {}}
    _artifact(
        home, "pseudo_label", used, {}, lambda to: write_pseudo_labels(table, to / PSEUDO_LABELS),
        config=config, notes={"run_id": "labels-run"},
    )  # fmt: skip
    known = HeldOut(
        sample_id=held_rows,
        label=truth[held_rows],
        member_probabilities=scores[held_rows],
        classes=CLASSES,
        members=tuple(member["identity"] for member in members),
    )
    write_held_out(known, folder / HELD_OUT)
    return made, truth[u], int(agreed.sum())


def _artifact(home, stage, inputs, summary, write, *, config=None, notes=None):
    store = Store(home)
    request = Request(stage, 1, config or {}, inputs, 0, Subject.of(stage, 2, 0))
    output = store.work(request) / "output"
    output.mkdir()
    write(output)
    return store.commit(request, output, summary, notes or {}, {})


def _record(home, data, unlabelled, agreed):
    labels = {
        "k": 2, "draw": 0, "r": R, "threshold": 0.8, "unlabelled": unlabelled, "agreed": agreed,
        "coverage": agreed / unlabelled, "precision": None, "precision_per_class": [None] * 3,
        "count_per_class": [0] * 3, "soft_accuracy": 0.9, "enlarged_v": [2] * 3,
        "run_id": "labels-run",
    }  # fmt: skip
    content = {
        "format": 1, "name": NAME, "identity": "i" * 64, "run_id": "run", "experiment": "kitchen",
        "title": "Kitchen", "scale": "default", "seed": 0,
        "command": "gradmix reproduce kitchen.toml" + (f" --data {data}" if data else ""),
        "started": "2026-01-01T00:00:00+00:00", "finished": "2026-01-01T00:01:00+00:00",
        "seconds": 60.0, "git_sha": None, "git_dirty": False, "versions": {},
        "hardware": {"cpu": "x", "cores": 1, "memory_gib": 1.0, "slots": []},
        "settings": {
            "target": {"dataset": "kitchen"},
            "datasets": {"kitchen": {"reader": "photos", "folder": "kitchen"}},
            "ensemble": {"threshold": 0.8},
        },
        "classes": list(CLASSES), "data": [], "rows": [], "cells": [], "pseudo_labels": [labels],
        "executed": {"trainings": 0, "cached": 0}, "paper": {},
    }  # fmt: skip
    folder = home / "reproductions" / NAME
    folder.mkdir(parents=True)
    (folder / "record.json").write_text(json.dumps(content))
