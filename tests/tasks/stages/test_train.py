"""Stage train: what it depends on, and what it hands to its process and to the tracker."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gradmix.declarations.methods import METHODS
from gradmix.declarations.methods.gradmix import GradMixConfig
from tasks.engine.runtime import Runtime, use
from tasks.events import Event
from tasks.execution import slot_runner as slot_job
from tasks.jobs import __main__ as worker
from tasks.jobs.files import read_job
from tasks.jobs.inputs.train import TrainJob
from tasks.stages import train
from tasks.storage.artifacts import Artifact
from tests.tasks.conftest import TOY_NETWORK
from tests.tasks.given import given

DIGESTS = {"hyper_validation": "h" * 64, "V": "v" * 64, "U": "u" * 64}
TRAINING = {"steps": 20, "validate_every": 5, "batch_size": 8, "v_whole_up_to": 64}


@pytest.fixture
def inputs(artifact_of, toy) -> dict[str, Any]:
    def prepared(name: str) -> Artifact:
        found: Artifact = artifact_of(
            name, {"content": f"content of {name}"}, folder=str(toy.folder / name)
        )
        return found

    job = toy.job()
    sources = [{**source, "data": prepared(source["name"])} for source in job["source_sets"]]
    same = ("method", "settings", "learning_rate", "momentum", "network", "training", "heads")
    return {
        "label": "a training: V/S1 50%",
        **{name: job[name] for name in same},
        "sources": sources,
        "target": prepared("target"),
        "classes": job["classes"],
        "split": artifact_of("split", {"digests": DIGESTS}, folder=str(toy.folder / "split")),
        "seed": 7,
    }


@pytest.fixture
def best(artifact_of) -> Callable[..., Artifact]:
    """A selection of one member."""

    def make(rate: float = 0.01, folder: str = "models/best", **settings: Any) -> Artifact:
        member = {
            "identity": "i" * 64,
            "digest": "m" * 64,
            "folder": folder,
            "learning_rate": rate,
            "settings": settings,
        }
        made: Artifact = artifact_of("best", {"members": [member]}, notes={"models": ["model-0"]})
        return made

    return make


def identity(inputs: dict[str, Any], **changes: Any) -> str:
    return train.describe(given(train.TrainInputs, inputs | changes)).identity


def digested(artifact_of, inputs: dict[str, Any], role: str) -> dict[str, Any]:
    """The inputs with other samples in a role of the split."""
    digests = DIGESTS | {role: "other"}
    return inputs | {"split": artifact_of("split", {"digests": digests})}


@pytest.mark.parametrize(
    "change",
    [
        {"method": "joint", "settings": {}},
        {"settings": {"beta": 10.0, "gamma": 0.4}},
        {"learning_rate": 0.05},
        {"momentum": 0.8},
        {"network": TOY_NETWORK | {"settings": {"widths": [4, 4, 4, 8]}}},
        {"network": TOY_NETWORK | {"normalisation": "imagenet"}},
        {"training": TRAINING | {"steps": 30}},
        {"training": TRAINING | {"validate_every": 10}},
        {"training": TRAINING | {"clip": 1.0}},
        {"heads": {"target": ["3", "2"], "S2": ["0", "1"]}},
        {"seed": 8},
    ],
)
def test_every_setting_decides(inputs: dict[str, Any], change: dict[str, Any]) -> None:
    assert identity(inputs, **change) != identity(inputs)


def test_the_label_and_the_rest_of_the_split_do_not_decide(
    inputs: dict[str, Any], artifact_of
) -> None:
    assert identity(inputs, label="b") == identity(inputs)
    assert identity(digested(artifact_of, inputs, "U")) == identity(inputs)
    other_split = artifact_of("other", {"digests": DIGESTS})
    assert identity(inputs, split=other_split) == identity(inputs)


@pytest.mark.parametrize(
    ("method", "reads_v", "reads_sources"),
    [
        ("gradmix", True, True),
        ("joint", True, True),
        ("source_only", False, True),
        ("target_only", True, False),
        ("fine_tune", True, False),
    ],
)
def test_what_a_method_reads_decides_and_nothing_else(
    inputs: dict[str, Any], artifact_of, method: str, reads_v: bool, reads_sources: bool
) -> None:
    inputs |= {"method": method, "settings": {}}

    def changed(**changes: Any) -> bool:
        return identity(inputs, **changes) != identity(inputs)

    first, second = inputs["sources"]
    assert changed(**digested(artifact_of, inputs, "V")) == reads_v
    assert changed(sources=[{**first, "data": artifact_of("new")}, second]) == reads_sources
    assert changed(sources=[{**first, "classes": ["3", "2"]}, second]) == reads_sources
    assert changed(sources=[first]) == reads_sources
    # Every method is scored on hyper-validation, which is cut from the target.
    assert changed(**digested(artifact_of, inputs, "hyper_validation"))
    assert changed(target=artifact_of("new"))


def test_pseudo_labels_their_kind_and_the_enlarged_v_decide(
    inputs: dict[str, Any], artifact_of
) -> None:
    labels, others = artifact_of("labels"), artifact_of("other labels")
    hard = {"pseudo": {"labels": labels, "kind": "hard", "if_none_agree": "stop"}}
    identities = [
        identity(inputs),
        identity(inputs, **hard),
        identity(inputs, pseudo={"labels": labels, "kind": "soft", "if_none_agree": "stop"}),
        identity(inputs, pseudo={"labels": others, "kind": "hard", "if_none_agree": "stop"}),
        identity(inputs, **hard, enlarged=artifact_of("enlarged")),
        identity(inputs, **hard, enlarged=artifact_of("other enlarged")),
    ]

    assert len(set(identities)) == 6
    # The enlarged V stands in for the split's.
    replaced = digested(artifact_of, inputs, "V")
    enlarged = {"enlarged": artifact_of("enlarged")}
    assert identity(replaced, **enlarged) == identity(inputs, **enlarged)


@pytest.mark.parametrize(
    ("agreed", "moved", "asked", "kind"),
    [
        (11, 10, "soft", "hard"),
        (10, 10, "soft", "soft"),
        (0, 0, "soft", "soft"),
        (0, 0, "stop", "hard"),
    ],
)
def test_soft_labels_take_the_place_of_hard_ones_where_none_is_left_and_it_is_asked_for(
    inputs: dict[str, Any], artifact_of, agreed: int, moved: int, asked: str, kind: str
) -> None:
    labels = artifact_of("labels", {"agreed": agreed})
    pseudo = {"labels": labels, "kind": "hard", "if_none_agree": asked}
    enlarged = artifact_of("enlarged", {"pseudo": moved})
    request = train.describe(
        given(train.TrainInputs, inputs | {"pseudo": pseudo, "enlarged": enlarged})
    )
    assert request.config["pseudo"] == kind


def test_a_selection_gives_the_learning_rate_and_settings_of_its_best(
    inputs: dict[str, Any], best
) -> None:
    searched = identity(inputs, learning_rate=best(0.01))
    assert searched == identity(inputs, learning_rate=0.01)
    assert searched != identity(inputs, learning_rate=best(0.02))

    chosen = {"settings": {"beta": 7.0}, "choice": best(gamma=0.6, beta=5.0)}
    found = train.describe(given(train.TrainInputs, inputs | chosen)).config["settings"]
    assert (found["beta"], found["gamma"]) == (7.0, 0.6)
    # What the chosen model's method has and this one has not is left out.
    chosen = {"settings": {}, "choice": best(gamma=0.6, weight_steps=3)}
    assert (
        "weight_steps"
        not in train.describe(given(train.TrainInputs, inputs | chosen)).config["settings"]
    )


def test_every_field_of_the_methods_config_decides_given_or_not(
    inputs: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = identity(inputs, settings={})
    assert before == identity(inputs, settings={"beta": 5.0, "solver": "exact"})
    assert (
        train.describe(given(train.TrainInputs, inputs)).config["settings"]["soft_direction"]
        == "reverse"
    )

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Changed(GradMixConfig):
        beta: float = 6.0

    monkeypatch.setitem(METHODS, "gradmix", dataclasses.replace(METHODS["gradmix"], config=Changed))
    assert identity(inputs, settings={}) != before


def test_the_version_of_the_method_decides(
    inputs: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = identity(inputs)
    gradmix = METHODS["gradmix"]
    changed = dataclasses.replace(gradmix, version=gradmix.version + 1)
    monkeypatch.setitem(METHODS, "gradmix", changed)
    assert identity(inputs) != before


def test_the_weights_it_starts_from_decide(inputs: dict[str, Any], best) -> None:
    other = best()
    other.summary["members"][0]["digest"] = "n" * 64

    identities = {identity(inputs, initial=initial) for initial in (None, best(), other)}

    assert len(identities) == 3
    assert identity(inputs, initial=best(folder="moved")) == identity(inputs, initial=best())


# Execution, with the slot's process replaced by a call.


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[TrainJob]:
    """The jobs that are run."""
    seen: list[TrainJob] = []

    def in_process(
        command: list[str], slot: object, *, log: Path, cwd: Path, poll: Any, **_: Any
    ) -> None:
        assert command[1:5] == ["-P", "-m", "gradmix_launcher", "tasks.jobs"]
        name, folder, home = command[5:]
        assert cwd == Path(home)
        seen.append(read_job(TrainJob, Path(folder), Path(home)))
        log.write_text(f"a warning of attempt {len(seen)}\n")
        assert worker.main([name, folder, home]) == 0
        poll()

    monkeypatch.setattr(slot_job, "run_in_slot", in_process)
    return seen


def performed(runtime: Runtime, inputs: dict[str, Any], **changes: Any) -> Artifact:
    with use(runtime):
        return train.STAGE.perform(given(train.TrainInputs, inputs | changes))


def datasets(runtime: Runtime) -> list[tuple[str, ...]]:
    calls = [call.args for call in runtime.tracker.log_dataset.call_args_list]
    assert {call[0] for call in calls} == {"run-1"}
    return [call[1:] for call in calls]


def test_the_artifact_holds_model_curve_and_log(
    runtime: Runtime, inputs: dict[str, Any], jobs: list[TrainJob]
) -> None:
    artifact = performed(runtime, inputs)

    assert sorted(artifact.files) == ["curve.json", "log.txt", "model.pt"]
    assert artifact.summary["steps"] == 20
    assert artifact.notes["run_id"] == "run-1"
    assert artifact.notes["model_id"] == "model-1"
    assert artifact.notes["resumed_from"] == 0
    assert artifact.notes["seconds"] > 0


def test_the_digest_does_not_depend_on_what_was_logged(
    runtime: Runtime, inputs: dict[str, Any], jobs: list[TrainJob]
) -> None:
    first = performed(runtime, inputs)
    (runtime.home / first.folder / "model.pt").unlink()

    again = performed(runtime, inputs)

    assert len(jobs) == 2
    assert again.digest == first.digest
    assert again.files["log.txt"] != first.files["log.txt"]
    assert again.files["model.pt"] == first.files["model.pt"]


def test_the_run_gets_the_curve_the_files_and_the_model(
    runtime: Runtime, inputs: dict[str, Any], jobs: list[TrainJob], events: list[Event]
) -> None:
    artifact = performed(runtime, inputs)
    tracker = runtime.tracker

    [logged] = tracker.log_metrics.call_args_list
    rows = logged.args[1]
    assert [row.step for row in rows] == [5, 10, 15, 20]
    accuracies = {row.step: row.values["hyper_validation/accuracy"] for row in rows}
    assert accuracies[artifact.summary["best_step"]] == artifact.summary["accuracy"]
    assert [call.args[1].name for call in tracker.log_artifact.call_args_list] == [
        "curve.json",
        "log.txt",
    ]
    [model] = tracker.log_model.call_args_list
    assert model.args[:3] == ("run-1", "a training  V S1 50 ", artifact.identity)
    assert model.args[3].name == "model.pt"
    assert model.kwargs["later"] == runtime.home / artifact.folder / "model.pt"
    tracker.finish.assert_called_once_with("run-1")
    running = [event for event in events if event.slot]
    assert [(event.step, event.steps, event.slot) for event in running] == [
        (0, 20, "cpu:0"),
        (20, 20, "cpu:0"),
    ]
    assert running[-1].accuracy == artifact.summary["last_accuracy"]


def test_the_run_names_what_the_method_reads(
    runtime: Runtime, inputs: dict[str, Any], jobs: list[TrainJob], toy
) -> None:
    performed(runtime, inputs)
    everything = datasets(runtime)
    runtime.tracker.log_dataset.reset_mock()
    performed(runtime, inputs, method="source_only", settings={})
    source_only = datasets(runtime)
    runtime.tracker.log_dataset.reset_mock()
    performed(runtime, inputs, method="target_only", settings={})
    target_only = datasets(runtime)

    sources = [
        (name, f"content of {name}", str(toy.folder / name), "training") for name in ("S1", "S2")
    ]
    split = str(toy.folder / "split")
    held_out = ("hyper_validation", "h" * 64, split, "validation")
    v = ("V", "v" * 64, split, "training")
    assert everything == [*sources, held_out, v]
    assert source_only == [*sources, held_out]
    assert target_only == [held_out, v]
    assert [len(job.source_sets) for job in jobs] == [2, 2, 0]


def test_fine_tuning_names_and_gets_the_model_it_starts_from(
    runtime: Runtime, inputs: dict[str, Any], jobs: list[TrainJob], best
) -> None:
    source_only = performed(runtime, inputs, method="source_only", settings={})
    start = best(folder=source_only.folder)

    performed(runtime, inputs, method="fine_tune", settings={}, initial=start)

    runtime.tracker.log_model_inputs.assert_called_once_with("run-1", ["model-0"])
    assert jobs[1].initial == runtime.home / source_only.folder


def test_a_job_is_the_request_with_its_paths(
    runtime: Runtime, inputs: dict[str, Any], jobs: list[TrainJob], toy, best
) -> None:
    changes = {"settings": {"beta": 5.0}, "choice": best(gamma=0.6)}
    performed(runtime, inputs, **changes, learning_rate=best(0.01))

    [job] = jobs
    settings = dataclasses.asdict(GradMixConfig(beta=5.0, gamma=0.6))
    assert job == toy.train_job(settings=settings, learning_rate=0.01)
