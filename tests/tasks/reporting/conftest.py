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
    """GradMix takes 42, 45, 48 ms a step; in the last draw only half of its steps are timed."""
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
