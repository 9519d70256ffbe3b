"""A home of made-up cells, as many as asked for, with records that report some of them."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from types import MappingProxyType

from flows.records.stored import FILE, FOLDER
from tasks.codec import encode
from tasks.networks.description import NetworkDescription
from tasks.reporting.record import read_record, record_text
from tasks.reporting.records.run import TrackingRecord
from tasks.storage.artifacts import Request, Store
from tasks.storage.home import open_home
from tasks.subjects import Subject

RECORD = Path(__file__).parents[2] / "docs" / "results" / "digits-small" / "record.json"
ROWS = {"GradMix": "gradmix", "Joint": "joint", "GradMix w/ SoftMatch": "gradmix_softmatch"}
TRAINING = {"batch_size": 32, "v_whole_up_to": 64, "steps": 500, "validate_every": 50}
NETWORK = encode(
    NetworkDescription(trunk="convnet", settings={"widths": [8, 8]}, normalisation="image")
)
NONE = MappingProxyType({})
FIRST = 1_790_000_000


def request_of(number, settings, training):
    """The request of a cell: rows, k, draws, beta and gamma in turn."""
    row = list(ROWS)[number % 3]
    beta, gamma = [1.0, 5.0, 10.0, 20.0][number // 36 % 4], round(number // 144 * 0.1, 1)
    config = {
        "method": ROWS[row], "settings": {"beta": beta, "gamma": gamma, **settings}, "pseudo": None,
        "learning_rate": 0.05, "momentum": 0.9, "network": NETWORK,
        "training": {**TRAINING, **training},
    }  # fmt: skip
    subject = Subject.of(row, 2 + number // 3 % 4, number // 12 % 3, {"beta": beta, "gamma": gamma})
    return Request("train", 1, config, {}, number, subject)


def make_cells(home, count, settings=NONE, training=NONE):
    """A home of that many cells; the first is what the record `made` reports as Joint."""
    store, identities = Store(open_home(home)), []
    for number in range(count):
        request = request_of(number, settings, training)
        output = home / "work" / "output"
        output.mkdir(parents=True)
        accuracy = round(0.5 + 0.49 * (number * 7919 % count) / count, 4)
        notes = {
            "seconds": 30.0 + number, "run_id": f"{number:032x}", "scope": "digits/small/embedded",
            "subject": asdict(request.subject),
        }  # fmt: skip
        artifact = store.commit(request, output, {"accuracy": accuracy}, notes, {})
        identities.append(artifact.identity)
    lines = [
        json.dumps({"time": FIRST + 60 * number, "stage": "train", "identity": identity})
        for number, identity in enumerate(identities)
    ]
    # A kill cut the last line short.
    text = "\n".join([*lines, '{"time": 1790'])
    (home / "executions.jsonl").write_text(text, encoding="utf-8")
    record = read_record(RECORD)
    rows = (
        replace(record.rows[0], identity=identities[0], test_accuracy=0.875, row="Joint"),
        *record.rows[1:],
    )
    tracking = TrackingRecord(ui="http://127.0.0.1:5000", experiment_id="1")
    record = replace(record, name="made", rows=rows, tracking=tracking)
    folder = home / FOLDER / "made"
    folder.mkdir(parents=True)
    (folder / FILE).write_text(record_text(record), encoding="utf-8")
    return identities
