"""The walk from a model back to the raw data."""

import pytest

from data.fingerprint import digest_json as sha
from tasks.tracking.lineage.graph import boxes, gaps, graph, tree
from tasks.tracking.mlflow_store import TrackingError


@pytest.fixture
def chain(tracker, tmp_path, identity):
    """Raw file -> prepared data -> two members -> pseudo-labels -> final model."""
    weights = tmp_path / "w.pt"
    weights.write_bytes(b"w")
    digests = {name: sha(name + identity) for name in ("raw", "prepared", "labels")}

    def run(name, inputs, output=None, models=(), model=False):
        run_id = tracker.start_run(name, sha(name + identity), name)
        for data, context in inputs:
            tracker.log_dataset(run_id, data, digests[data], f"{data}.bin", context)
        if output:
            tracker.log_dataset(run_id, output, digests[output], f"{output}.bin", "output")
        tracker.log_model_inputs(run_id, models)
        made = tracker.log_model(run_id, name, sha(name + identity), weights) if model else None
        tracker.finish(run_id)
        return run_id, made

    prepare, _ = run("prepare", [("raw", "raw")], output="prepared")
    members = [run(name, [("prepared", "training")], model=True)[1] for name in ("m1", "m2")]
    labels, _ = run("labels", [("prepared", "labelling")], output="labels", models=members)
    final, model = run("final", [("prepared", "training"), ("labels", "training")], model=True)
    return {"prepare": prepare, "label run": labels, "final": final, "model": model, **digests}


def test_the_lineage_of_a_final_model_reaches_the_raw_data_without_a_gap(tracker, chain):
    node = tracker.lineage(chain["model"])
    assert gaps(node) == []
    assert (node.kind, node.inputs[0].id) == ("model", chain["final"])
    found = sorted((box.kind, box.name) for box in boxes(node))
    assert found == [
        *(("dataset", name) for name in ("labels", "prepared", "raw")),
        *(("model", name) for name in ("final", "m1", "m2")),
        *(("run", name) for name in ("final", "labels", "m1", "m2", "prepare")),
    ]
    ends = {(box.id, box.facts["source"]) for box in boxes(node) if not box.inputs}
    assert ends == {(chain["raw"], "raw.bin")}
    edges = graph(node)["edges"]
    assert {"from": chain["labels"], "to": chain["final"]} in edges
    assert {"from": chain["final"], "to": chain["model"]} in edges


def test_the_lineage_prints_as_a_tree_that_unfolds_each_box_once(tracker, chain):
    short = {name: f"[sha256 {chain[name][:12]}]" for name in ("raw", "prepared", "labels")}
    lines = tree(tracker.lineage(chain["final"]))
    assert lines[:6] == [
        f"run final [{chain['final']}] final FINISHED",
        f"├─ dataset labels {short['labels']} training labels.bin",
        f"│  └─ run labels [{chain['label run']}] labels FINISHED",
        f"│     ├─ dataset prepared {short['prepared']} labelling prepared.bin",
        f"│     │  └─ run prepare [{chain['prepare']}] prepare FINISHED",
        f"│     │     └─ dataset raw {short['raw']} raw raw.bin",
    ]
    assert lines[-1] == f"└─ dataset prepared {short['prepared']} training prepared.bin (see above)"
    assert sum(line.endswith("(see above)") for line in lines) == 3
    assert len(lines) == 13


def test_a_chain_that_ends_before_the_raw_data_is_reported(tracker, identity):
    run = tracker.start_run("r", identity, "final")
    tracker.log_dataset(run, "lost", sha("lost" + identity), "lost.bin", "training")
    other = tracker.start_run("other", sha("o" + identity), "first")
    tracker.log_dataset(other, "same", sha("lost" + identity), "lost.bin", "evaluation")
    (gap,) = gaps(tracker.lineage(run))
    assert "dataset lost" in gap
    assert "no run produced" in gap
    bare = tracker.start_run("bare", sha("bare" + identity), "first")
    assert gaps(tracker.lineage(bare)) == [f"run bare ({bare}): the run names no input"]


def test_the_lineage_of_an_unknown_id_is_an_error_of_one_line(tracker):
    with pytest.raises(TrackingError, match="not found") as found:
        tracker.lineage("0" * 32)
    assert "\n" not in str(found.value)
