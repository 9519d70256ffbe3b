"""The example record with everything that a record can hold."""

import copy

import pytest

TESTED = {0.80: 0.78, 0.84: 0.83, 0.86: 0.82, 0.90: 0.85}
"""Test accuracy of a cell in draw 0, by its accuracy on hyper-validation."""

LOSSES = {"Source only": [2.0, 1.5, 1.6, 1.2], "GradMix": [1.0, 0.8, 0.7, 0.75]}

SWEPT = {1: [0.90, 0.91, 0.92], 2: [0.93, 0.95, 0.94], 3: [0.92, 0.94, None]}
"""By R: test accuracy in every draw; R = 2 is the record's own."""

RHO = [1.0, 2.0, 3.0, 4.0, 5.0]
CHANGES = [-0.1, -0.3, -0.2, -0.5, -0.4]


def source_only(k, draw, like):
    return {
        **like,
        "row": "Source only",
        "method": "source_only",
        "datasets": ["S1", "S2"],
        "k": k,
        "draw": draw,
        "test_accuracy": 0.80 + 0.01 * draw,
        "seconds": 30.0,
        "steps": 1000,
        "resumed_from": 0,
        "run_id": f"source-{k}-{draw}",
    }


def timed(row):
    """GradMix takes 42, 45, 48 ms per step; in the last draw only half of its steps are timed."""
    half = row["draw"] == 2
    seconds = 24.0 if half else 42.0 + 3 * row["draw"]
    return {**row, "seconds": seconds, "steps": 1000, "resumed_from": 500 if half else 0}


def audited(entry):
    draw = entry["draw"]
    return {
        **entry,
        "calibration": [
            {
                "low": 0.8,
                "high": 0.9,
                "n": 100 * (draw + 1),
                "confidence": 0.85,
                "accuracy": [0.80, 0.80, 0.90][draw],
            },
            {"low": 0.9, "high": 1.0, "n": 400, "confidence": 0.95, "accuracy": 0.90},
        ],
        "thresholds": [
            {"threshold": 0.8, "agreed": 806, "coverage": 0.806, "precision": 0.975},
            {
                "threshold": 0.9,
                "agreed": 700 - 100 * draw,
                "coverage": 0.7 - 0.1 * draw,
                "precision": [0.98, 0.99, None][draw],
            },
        ],
    }


def ensemble(like, r):
    return {
        **like,
        "r": r,
        "coverage": 0.9 - 0.05 * r - 0.01 * like["draw"],
        "precision": 0.9 + 0.02 * r,
        "test_accuracy": SWEPT[r][like["draw"]],
        "test_n": 4861,
        "accuracy": 0.95,
        "run_id": f"final-{r}-{like['k']}-{like['draw']}",
        "identity": f"id-{r}",
    }


def curve(name, k, draw):
    points = [
        {"step": 100 * (i + 1), "accuracy": 0.8, "loss": round(loss + 0.1 * draw, 3)}
        for i, loss in enumerate(LOSSES[name])
    ]
    return {"row": name, "k": k, "draw": draw, "points": points}


def probed(k, draw, start):
    """From random weights rho is right on the whole; of a trained model it is wrong."""
    sign = 1 if start == "initial" else -1
    return {
        "k": k,
        "draw": draw,
        "start": start,
        "layers": ["conv1", "fc1"],
        "probes": [
            {
                "rho": rho,
                "change": sign * change,
                "cosines": [None if rho == 5.0 else rho / 10, rho / 5],
                "changes": [-rho, sign * change],
            }
            for rho, change in zip(RHO, CHANGES, strict=True)
        ],
    }


def selected(k, draw):
    sizes = [(10, 200, 0.85, 0.02), (100, 200, 0.87, 0.01), (1000, 1, 0.88, 0.0)]
    return {
        "k": k,
        "draw": draw,
        "cells": 4,
        "mean": 0.84 + 0.01 * draw,
        "best": 0.90,
        "sizes": [
            {"size": size, "selections": count, "test_accuracy": mean, "deviation": spread}
            for size, count, mean, spread in sizes
        ],
    }


@pytest.fixture
def full(record):
    """The record after everything was asked for: hand-made figures, sums by hand."""
    pairs = [(k, draw) for k in (2, 3) for draw in range(3)]
    record["rows"] = [
        timed(row) if row["row"] == "GradMix" else {**row, "steps": 1000, "resumed_from": 0}
        for row in record["rows"]
    ]
    like = copy.deepcopy(record["rows"][0])
    record["rows"] = [*(source_only(k, d, like) for k, d in pairs), *record["rows"]]
    for cell in record["cells"]:
        cell["test_accuracy"] = TESTED[cell["accuracy"]] + 0.01 * cell["draw"]
        cell["test_n"] = 4861
    plain = {(e["k"], e["draw"]): e for e in copy.deepcopy(record["pseudo_labels"])}
    return record | {
        "pseudo_labels": [audited(entry) for entry in record["pseudo_labels"]],
        "ensembles": [ensemble(plain[k, d], r) for k in (2, 3) for r in SWEPT for d in range(3)],
        "curves": [curve(name, k, d) for name in LOSSES for k, d in pairs],
        "studies": {
            "rho": [probed(k, d, start) for k, d in pairs for start in ("initial", "trained")],
            "hyper_validation": [selected(k, d) for k, d in pairs],
        },
        "tracking": {
            "ui": "http://127.0.0.1:5000",
            "experiment_id": "1",
            "command": "mlflow ui --backend-store-uri sqlite:///runs/mlflow.db",
        },
        "outputs": {"tables": [1, 2], "figures": [3, 4], "studies": ["rho", "hyper_validation"]},
    }


FRAMES = {
    ("Joint", 3): [0.50, 0.54],
    ("Joint", 5): [0.60, 0.62],
    ("EnergyNet (our reading)", 3): [0.52, 0.50],
    ("EnergyNet (our reading)", 5): [0.58, 0.60],
    ("GradMix", 3): [0.55, 0.57],
    ("GradMix", 5): [0.61, 0.65],
    ("GradMix w/ hard label", 3): [0.60, 0.66],
    ("GradMix w/ hard label", 5): [0.64, 0.70],
}
"""Accuracy of frames in every draw, by row and k."""

VIDEOS = {
    ("Joint", 3): [0.60, 0.58],
    ("Joint", 5): [0.70, 0.721],
    ("EnergyNet (our reading)", 3): [0.55, 0.56],
    ("EnergyNet (our reading)", 5): [0.60, 0.61],
    ("GradMix", 3): [0.62, 0.66],
    ("GradMix", 5): [0.74, 0.76],
    ("GradMix w/ hard label", 3): [0.70, 0.76],
    ("GradMix w/ hard label", 5): [0.70, 0.72],
}
"""The same of videos."""

ACTION_METHODS = {"Joint": "joint", "EnergyNet (our reading)": "energynet"}


def action_rows(like):
    return [
        {
            **like,
            "row": name,
            "method": ACTION_METHODS.get(name, "gradmix"),
            "datasets": ["S1", "S2", "V", *(["U"] if "hard" in name else [])],
            "k": k,
            "draw": draw,
            "test_accuracy": accuracy,
            "test_n": 630,
            "test_clip_accuracy": VIDEOS[name, k][draw],
            "test_clips": 63,
            "learning_rate": 0.001,
            "searched": [0.001],
            "run_id": f"run-{name}-{k}-{draw}",
        }
        for (name, k), values in FRAMES.items()
        for draw, accuracy in enumerate(values)
    ]


def action_labels(like, k, draw):
    return {
        **like,
        "k": k,
        "draw": draw,
        "unlabelled": 500,
        "agreed": 100,
        "coverage": 0.2,
        "precision": 0.9,
        "precision_per_class": [0.5, None, 0.95],
        "count_per_class": [40, 0, 60],
        "enlarged_v": [40, 30, 100],
        "clips": {"n": 50, "soft_disagree": 0.3 + 0.1 * draw, "hard_disagree": 0.04 * k},
    }


PART = "3 of 101 classes: not the official split"
ACTION_DATA = [
    ("bu101", "photo_folders", "train", 700, None, "photos of 3 classes in folders"),
    *(
        ("ucf101", "ucf101", split, 10 * clips, clips, f"UCF101 split 1 with {count}, {PART}")
        for split, clips, count in (
            ("train", 137, "137 of the official 9,537 training clips"),
            ("test", 63, "63 of the official 3,783 test clips"),
        )
    ),
]


def action_data(dataset, reader, split, samples, clips, origin):
    missing = {"named in testlist01.txt but missing": 3720}
    return {
        "dataset": dataset,
        "reader": reader,
        "split": split,
        "origin": origin,
        "official": False,
        "samples": samples,
        "clips": clips,
        "skipped": missing if split == "test" else {},
        "broken": 2 if reader == "photo_folders" else 0,
        "digest": f"digest-{dataset}-{split}",
        "raw": {"files": f"raw-{dataset}-{split}"},
    }


ACTION_BASELINES = [
    {"name": name, "method": method, "settings": {}, "learning_rates": None}
    for name, method in ACTION_METHODS.items()
]


@pytest.fixture
def actions(record):
    """A record of clips: two k, two draws, four rows, three classes; sums by hand."""
    record = copy.deepcopy(record)
    settings = record["settings"]
    settings |= {
        "datasets": {
            "ucf101": {"reader": "ucf101", "embedded": "figure_clips"},
            "bu101": {"reader": "photo_folders", "embedded": None},
        },
        "target": {"hyper_validation": 40, "k": [3, 5], "draws": 2},
        "images": {"side": 160, "frames": 10, "every": None, "max_broken": 0.05, "partial": True},
        "network": {
            "trunk": "efficientnet_lite0",
            "settings": {},
            "weights": "imagenet",
            "normalisation": None,
            "frozen": "block14",
        },
        "baselines": copy.deepcopy(ACTION_BASELINES),
        "final": [{"name": "GradMix w/ hard label", "labels": "hard"}],
    }
    settings["training"] |= {"learning_rates": [0.001], "fine_tuning_rates": [5e-5]}
    settings["first_stage"]["settings"] = {}
    pairs = [(k, draw) for k in (3, 5) for draw in (0, 1)]
    like = record["pseudo_labels"][0]
    return record | {
        "experiment": "actions",
        "title": "BU101 + MPII -> UCF101",
        "classes": ["Archery", "Biking", "Diving"],
        "data": [action_data(*entry) for entry in ACTION_DATA],
        "rows": action_rows(record["rows"][0]),
        "cells": [
            {**cell, "k": k, "draw": draw, "test_accuracy": None, "test_n": None}
            for k, draw in pairs
            for cell in record["cells"]
            if (cell["k"], cell["draw"]) == (2, 0)
        ],
        "pseudo_labels": [action_labels(like, k, draw) for k, draw in pairs],
        "outputs": {"tables": [3], "figures": [], "studies": []},
        "paper": {
            "GradMix": {"3": [56.25], "5": [61.73]},
            "EnergyNet (our reading)": {"3": [55.93]},
        },
        "paper_clips": {"GradMix": {"3": [59.41], "5": [66.27]}},
    }
