"""Stage: does the rho of a mini-batch tell how much its step helps (§3.4)?"""

from typing import Any

from tasks.engine.run_job import run_job
from tasks.engine.stage import Outcome, Stage, Workplace
from tasks.stages.weights import file_of
from tasks.storage.artifacts import Artifact, Request

PROBES = 100


def describe(
    label: str,
    model: Artifact,
    training: dict[str, Any],
    network: dict[str, Any],
    heads: dict[str, list[str]],
    sources: list[dict[str, Any]],
    target: Artifact,
    classes: list[str],
    split: Artifact,
    seed: int,
    weights: Artifact | None = None,
) -> Request:
    """The model, its method's settings and the data decide.

    Args:
        label: for people.
        model: a selection whose best member is probed, and the weights that it began with.
        training: batch_size, v_whole_up_to.
        network: trunk, its settings, normalisation, frozen part; digests of weights and code.
        heads: classes of every head.
        sources: name, data (artifact), classes and head of every source.
        target: prepared target training data.
        classes: of the target.
        split: roles of the target's samples.
        seed: of the model's training, which its mini-batches follow again.
        weights: that its trunk started from; their digest is the network's.
    """
    del classes, weights
    member, digests = model.summary["members"][0], split.summary["digests"]
    inputs = {f"source {source['name']}": source["data"].digest for source in sources}
    inputs |= {role: digests[role] for role in ("V", "hyper_validation")}
    inputs |= {"model": member["digest"], "target": target.digest}
    config = {
        "method": member["method"],
        "settings": member["settings"],
        "learning_rate": member["learning_rate"],
        "momentum": 0.0,
        "network": network,
        "training": {name: training[name] for name in ("batch_size", "v_whole_up_to")},
        "heads": heads,
        "sources": {source["name"]: [source["head"], source["classes"]] for source in sources},
        "pseudo": None,
        "probes": PROBES,
    }
    return Request("rho_study", 2, config, inputs, seed, label)


def execute(
    place: Workplace,
    model: Artifact,
    sources: list[dict[str, Any]],
    target: Artifact,
    classes: list[str],
    split: Artifact,
    weights: Artifact | None = None,
    **_: Any,  # noqa: ANN401 - settings, which the request already holds
) -> Outcome:
    """Probe in a slot process."""
    home = place.runtime.home
    job = {
        **place.request.config,
        "seed": place.request.seed,
        "weights": file_of(weights, home),
        "classes": classes,
        "source_sets": [
            {**source, "data": str(home / source["data"].folder)} for source in sources
        ],
        "target": str(home / target.folder),
        "split": str(home / split.folder),
        "enlarged": None,
        "pseudo_labels": None,
        "trained": str(home / model.summary["members"][0]["folder"]),
    }
    return Outcome(run_job(place, "rho_study", job)["summary"])


STAGE = Stage("rho_study", describe, execute)
