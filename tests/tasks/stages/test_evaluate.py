"""The stage that scores models: what decides its identity, and what it tells."""

from pathlib import Path
from typing import Any

import pytest

from tasks.engine.runtime import Runtime, use
from tasks.execution import slot_runner as slot_job
from tasks.jobs import __main__ as worker
from tasks.jobs.inputs.models import TrainedModel
from tasks.stages import evaluate
from tasks.stages.trained_models import best
from tasks.storage.artifacts import Artifact
from tests.tasks.given import given

TRAINED = {"method": "gradmix", "order": {"sources": ["S1", "S2"]}, "pseudo": None}


@pytest.fixture
def inputs(artifact_of, toy, job: dict[str, Any]) -> dict[str, Any]:
    trained, chosen = job["models"].values()
    members = [
        {"digest": "digest of best", "identity": "i", **chosen},
        {"digest": "digest of second", "identity": "j", **chosen, "folder": "nowhere"},
    ]
    notes = {"runs": ["run of best", "run of second"]}
    return {
        "label": "evaluation",
        "models": {
            "Joint": artifact_of(
                "joint",
                notes={"run_id": "run of joint"},
                folder=trained["folder"],
                document={"config": TRAINED},
            ),
            "GradMix": artifact_of("top", {"members": members}, notes=notes),
        },
        "test": artifact_of("test", {"content": "content of test"}, folder=job["test"]),
        "target": artifact_of("target", folder=job["target"]),
        "pseudo": {"3": artifact_of("pseudo", folder=job["pseudo_labels"]["3"])},
        **{name: job[name] for name in ("classes", "network", "heads")},
    }


def test_models_rows_test_and_labels_decide(inputs: dict[str, Any], artifact_of) -> None:
    def identity(**changes: Any) -> str:
        return evaluate.describe(given(evaluate.EvaluateInputs, inputs | changes)).identity

    models = inputs["models"]
    members, notes = models["GradMix"].summary["members"], models["GradMix"].notes
    other_best = artifact_of("top", {"members": members[::-1]}, notes=notes)
    other_joint = artifact_of("new", notes=models["Joint"].notes, document=models["Joint"].document)
    changes: list[dict[str, Any]] = [
        {},
        {"models": {"Joint": models["Joint"]}},
        {"models": {"joint": models["Joint"], "GradMix": models["GradMix"]}},
        {"models": models | {"Joint": other_joint}},
        {"models": models | {"GradMix": other_best}},
        {"test": artifact_of("new")},
        {"target": artifact_of("new")},
        {"pseudo": {"3": artifact_of("new")}},
        {"pseudo": {"2": inputs["pseudo"]["3"]}},
        {"pseudo": {}},
        {"classes": ["3", "2"]},
        {"network": inputs["network"] | {"trunk": "resnet18"}},
        {"heads": {}},
    ]
    assert len({identity(**change) for change in changes}) == len(changes)
    assert identity(label="b") == identity()
    best_alone = artifact_of("top", {"members": members[:1]}, notes=notes)
    # The other members of a selection are not evaluated.
    assert identity(models=models | {"GradMix": best_alone}) == identity()


def test_a_selection_counts_by_its_best_member(inputs: dict[str, Any], job: dict[str, Any]) -> None:
    joint, gradmix = (best(model) for model in inputs["models"].values())

    trained, chosen = (given(TrainedModel, one) for one in job["models"].values())
    assert (joint.digest, joint.run_id) == ("digest of joint", "run of joint")
    assert (gradmix.digest, gradmix.run_id) == ("digest of best", "run of best")
    home = Path("/elsewhere")  # these folders are absolute
    assert (joint.located(home), gradmix.located(home)) == (trained, chosen)


def test_accuracies_reach_the_models_own_runs(
    runtime: Runtime, inputs: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def in_process(
        command: list[str], slot: object, *, log: Path, cwd: Path, poll: Any, **_: Any
    ) -> None:
        log.touch()
        assert worker.main(command[5:]) == 0

    monkeypatch.setattr(slot_job, "run_in_slot", in_process)
    with use(runtime):
        artifact: Artifact = evaluate.STAGE.perform(given(evaluate.EvaluateInputs, inputs))

    test = artifact.summary["test"]
    assert test["Joint"] == {"accuracy": 0.5, "loss": pytest.approx(1.1269, abs=1e-4), "n": 10}
    assert artifact.summary["audits"]["3"]["coverage"] == 0.75
    calls = runtime.tracker.log_metrics.call_args_list
    assert [call.args[0] for call in calls] == ["run of joint", "run of best"]
    read = [call.args for call in runtime.tracker.log_dataset.call_args_list]
    assert [(run, name, digest) for run, name, digest, *_ in read] == [
        ("run of joint", "test", "content of test"),
        ("run of best", "test", "content of test"),
    ]
    assert [[tuple(row)[:2] for row in call.args[1]] for call in calls] == [
        [(0, {"test/accuracy": 0.5})],
        [(0, {"test/accuracy": 0.5})],
    ]
