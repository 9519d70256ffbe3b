"""The stages of an experiment, as a `Submit` that only writes down what is submitted sees them."""

import json
from pathlib import Path

from flows.experiment.raw_data import RawData
from flows.pipeline.graph import pipeline
from tasks.codec import decode, encode, leaves, replace_leaves
from tasks.storage.artifacts import Artifact

DRAWS = {("target", "k"): ("--k", [2, 3]), ("target", "draws"): ("--draws", 2)}
RATES = (0.05, 0.02, 0.01)
SEARCHED = {("search",): ("", True), ("training", "learning_rates"): ("", list(RATES))}
TABLES_AND_FIGURE_3 = {("outputs", "figures"): ("--figures", [3]), ("outputs", "studies"): ("", [])}
PACKAGED = Path(__file__).parents[3] / "flows" / "experiments" / "digits.toml"
ARTIFACT = Artifact("a", "1" * 64, "2" * 64, "artifacts/a", {}, {})


class Box:
    """One stage that was asked for."""

    def __init__(self, number, stage, after, inputs):
        self.number, self.stage, self.inputs = number, stage.name, vars(inputs)
        self.subject, self.label = inputs.subject, inputs.subject.label
        self.direct = leaves([inputs, *after], Box)

    @property
    def ancestors(self):
        found, stack = set(), list(self.direct)
        while stack:
            box = stack.pop()
            if box not in found:
                found.add(box)
                stack.extend(box.direct)
        return found


def drawn(experiment):
    """Every stage of an experiment in the order of submission, and what `pipeline` returned."""
    submitted = []

    def submit(stage, inputs, after=()):
        # As Prefect gets them: plain JSON, with artifacts in place of futures.
        given = replace_leaves(inputs, Box, lambda _: ARTIFACT)
        assert decode(stage.inputs, json.loads(json.dumps(encode(given)))) == given
        submitted.append(Box(len(submitted), stage, after, inputs))
        return submitted[-1]

    target = experiment.target.dataset
    raw = RawData(
        None,
        {
            (name, part): {}
            for name in experiment.datasets
            for part in (["train", "test"] if name == target else ["train"])
        },
        roots=dict.fromkeys(experiment.datasets),
    )
    return submitted, pipeline(experiment, raw, submit)


FINALS = [
    ("GradMix w/ soft label", "soft", "gradmix"),
    ("GradMix w/ hard label", "hard", "gradmix"),
    ("GradMix w/ VAT", "hard", "gradmix_vat"),
    ("GradMix w/ MixMatch", "hard", "gradmix_mixmatch"),
    ("GradMix w/ FixMatch", "hard", "gradmix_fixmatch"),
    ("GradMix w/ SoftMatch", "hard", "gradmix_softmatch"),
    ("GradMix w/ SoftMatch, V trains the trunk", "hard", "gradmix_softmatch"),
    ("Joint w/ hard label", "hard", "joint"),
    ("Joint w/ FixMatch", "hard", "fixmatch"),
    ("Joint w/ SoftMatch", "hard", "softmatch"),
]


def compared(row):
    """The trainings that a row is chosen from."""
    return list(row.inputs["candidates"]) if row.stage == "select" else [row]


def of(submitted, stage):
    return [box for box in submitted if box.stage == stage]
