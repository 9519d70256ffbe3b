"""An example record of a reproduction, small enough for sums by hand."""

import copy

import pytest

ACCURACIES = {
    ("Target only", 2): [0.70, 0.72, 0.74],
    ("Target only", 3): [0.75, 0.76, 0.80],
    ("Joint", 2): [0.88, 0.90, 0.89],
    ("Joint", 3): [0.90, 0.90, 0.93],
    ("GradMix", 2): [0.89, 0.90, 0.91],
    ("GradMix", 3): [0.90, 0.92, 0.94],
    ("GradMix hard", 2): [0.95, 0.96, 0.97],
    ("GradMix hard", 3): [0.96, 0.97, 0.98],
}
METHODS = {"Target only": "target_only", "Joint": "joint"}
DATASETS = {"Target only": ["V"], "GradMix hard": ["S1", "S2", "V", "U"]}
GRID = {(5.0, 0.0): 0.80, (5.0, 0.4): 0.84, (10.0, 0.0): 0.86, (10.0, 0.4): 0.90}
RANKS = {0.90: 1, 0.86: 2}


def row(name, k, draw, accuracy):
    first_stage = name.startswith("GradMix")
    return {
        "row": name,
        "method": METHODS.get(name, "gradmix"),
        "datasets": DATASETS.get(name, ["S1", "S2", "V"]),
        "k": k,
        "draw": draw,
        "test_accuracy": accuracy,
        "test_n": 4861,
        "accuracy": accuracy + 0.01,
        "loss": 0.25,
        "best_step": 900 + draw,
        "last_accuracy": accuracy - 0.02,
        "learning_rate": 0.02,
        "searched": [] if first_stage else [0.02, 0.05],
        "settings": {"beta": 10.0, "gamma": 0.4} if first_stage else {},
        "seconds": 40.5,
        "identity": f"identity-{name}-{k}-{draw}",
        "run_id": f"run-{name.replace(' ', '-')}-{k}-{draw}",
    }


def cells(k, draw):
    return [
        {
            "k": k,
            "draw": draw,
            "beta": beta,
            "gamma": gamma,
            "learning_rate": 0.02,
            "accuracy": accuracy,
            "loss": 0.3,
            "best_step": 800,
            "last_accuracy": accuracy - 0.1,
            "rank": RANKS.get(accuracy),
            "seconds": 30.25,
            "identity": f"cell-{k}-{draw}-{beta}-{gamma}",
            "run_id": f"cell-run-{k}-{draw}-{beta}-{gamma}",
        }
        for (beta, gamma), accuracy in GRID.items()
    ]


def labels(k, draw):
    return {
        "k": k,
        "draw": draw,
        "unlabelled": 1000,
        "agreed": 806,
        "coverage": 0.806,
        "precision": 0.975,
        "precision_per_class": [0.95, 1.0],
        "count_per_class": [406, 400],
        "soft_accuracy": 0.9123,
        "enlarged_v": [100, 100],
        "threshold": 0.8,
        "r": 2,
        "run_id": f"labels-run-{k}-{draw}",
    }


SETTINGS = {
    "datasets": {
        "svhn": {"reader": "svhn", "embedded": "street"},
        "mnist": {"reader": "mnist", "embedded": "handwritten"},
    },
    "target": {"hyper_validation": 1000, "k": [2, 3], "draws": 3},
    "network": {"widths": [16, 16, 32, 32], "hidden": 128, "norm": "batch"},
    "training": {
        "steps": 1500,
        "validate_every": 100,
        "batch_size": 64,
        "v_whole_up_to": 64,
        "momentum": 0.9,
        "learning_rates": [0.05, 0.02],
    },
    "baselines": [
        {"name": "Target only", "method": "target_only", "settings": {}, "learning_rates": None},
        {"name": "Joint", "method": "joint", "settings": {}, "learning_rates": None},
        {
            "name": "Fine-tune",
            "method": "fine_tune",
            "settings": {},
            "learning_rates": [0.005],
        },
    ],
    "first_stage": {
        "name": "GradMix",
        "method": "gradmix",
        "beta": [5, 10],
        "gamma": [0.0, 0.4],
        "settings": {"solver": "slsqp"},
    },
    "ensemble": {"r": 2, "threshold": 0.8, "enlarged_v": 100},
    "final": [{"name": "GradMix hard", "labels": "hard"}],
}

DATA = [
    {
        "dataset": "svhn",
        "reader": "svhn",
        "split": "train",
        "origin": "SVHN .mat with 8,007 of the official 73,257 rows: not the official split",
        "official": False,
        "samples": 8007,
        "digest": "5" * 64,
        "raw": {"train_32x32.mat": "a" * 64},
    },
    {
        "dataset": "mnist",
        "reader": "mnist",
        "split": "train",
        "origin": "MNIST idx files with 60,000 training rows, the official count",
        "official": True,
        "samples": 60000,
        "digest": "6" * 64,
        "raw": {"train-images-idx3-ubyte": "b" * 64},
    },
]


@pytest.fixture
def record():
    """Two k, three draws, two classes: small enough for sums by hand."""
    pairs = [(k, draw) for k in (2, 3) for draw in range(3)]
    whole = {
        "format": 1,
        "name": "digits-small-3f2a9c01",
        "identity": "3f2a9c01" * 8,
        "run_id": "parent-run",
        "experiment": "digits",
        "title": "SVHN 5-9 + MNIST 0-4 -> MNIST 5-9",
        "scale": "small",
        "seed": 7,
        "command": "gradmix reproduce digits --scale small --data DIR --seed 7",
        "started": "2026-01-02T03:04:05+00:00",
        "finished": "2026-01-02T04:04:05+00:00",
        "seconds": 3600.0,
        "git_sha": "c0ffee" * 6 + "c0ff",
        "git_dirty": False,
        "versions": {"python": "3.11.7", "torch": "2.14.1"},
        "hardware": {"cpu": "a cpu", "cores": 2, "memory_gib": 23.5, "slots": ["cpu:0", "cpu:1"]},
        "peak_memory": {"pss_mib": 1500.4, "rss_mib": 2100.6},
        "settings": SETTINGS,
        "data": DATA,
        "rows": [
            row(name, k, draw, values[draw])
            for k, draw in pairs
            for (name, of), values in ACCURACIES.items()
            if of == k
        ],
        "cells": [cell for k, draw in pairs for cell in cells(k, draw)],
        "pseudo_labels": [labels(k, draw) for k, draw in pairs],
        "executed": {"trainings": 60, "cached": 0},
        "paper": {
            "Target only": {"2": [71.35, 1.85], "3": [77.15, 1.36]},
            "GradMix": {"2": [91.17, 0.37], "3": [91.45]},
        },
        "classes": ["5", "6"],
    }
    return copy.deepcopy(whole)
