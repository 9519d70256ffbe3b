"""Stage pseudo_label: what the ensemble says about U."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data.reader import Samples
from data.tables.file_names import PSEUDO_LABELS
from data.tables.image_set import load_prepared
from data.tables.prepared import save_prepared
from data.tables.pseudo_labels import PseudoLabels, read_pseudo_labels
from data.tables.split import Split
from data.tables.split_file import save_split
from gradmix.ensembling import hard_labels, soft_labels
from gradmix.networks import predict
from tasks.engine.runtime import Runtime, use
from tasks.execution import slot_runner as slot_job
from tasks.jobs import __main__ as worker
from tasks.jobs import pseudo_label as label_job
from tasks.outcome import Outcome
from tasks.stages import pseudo_label as label
from tasks.storage.artifacts import Artifact
from tests.tasks.given import given

DIGESTS = {"hyper_validation": "h" * 64, "V": "v" * 64, "U": "u" * 64}


def margin(network: torch.nn.Module, images: torch.Tensor) -> torch.Tensor:
    first, second = predict(network, images).T
    return first - second


@pytest.fixture(scope="module")
def members(toy, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Folders of three models that agree on some samples."""
    folders = []
    images = torch.from_numpy(toy.target.images[toy.split.u])
    for seed in range(3):
        network = toy.network()
        head = network.heads["target"]
        noise = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            head.weight.add_(0.005 * torch.randn(head.weight.shape, generator=noise))
            # Each class is the first choice for half of the samples, some of them surely.
            head.weight.mul_(2 / margin(network, images).std())
            head.bias[0] -= margin(network, images).median()
        folders.append(tmp_path_factory.mktemp("member"))
        torch.save(network.state_dict(), folders[-1] / "model.pt")
    return folders


@pytest.fixture
def job(toy, members: list[Path]) -> dict[str, Any]:
    whole = toy.job()
    return {
        **{name: whole[name] for name in ("network", "heads", "classes", "target", "split")},
        "seed": 0,
        "threshold": 0.6,
        "target_name": "toy/train",
        "digests": {"U": "u" * 64, "member 0": "m" * 64},
        "members": [
            {
                "folder": str(folder),
                "method": "gradmix",
                "sources": ["S1", "S2"],
                "identity": f"identity {i}",
                "run_id": f"run {i}",
            }
            for i, folder in enumerate(members)
        ],
    }


def labelled(job: dict[str, Any], folder: Path) -> tuple[PseudoLabels, Outcome]:
    (folder / "output").mkdir(parents=True)
    outcome = label_job.run(given(label_job.PseudoLabelJob, job), folder)
    return read_pseudo_labels(folder / "output" / PSEUDO_LABELS), outcome


def test_labels_are_the_ensembles(toy, job: dict[str, Any], members, tmp_path: Path) -> None:
    table, outcome = labelled(job, tmp_path)

    images = load_prepared(toy.folder / "target").images[torch.from_numpy(toy.split.u)]
    parts = []
    for folder in members:
        network = toy.network(seed=99)
        network.load_state_dict(torch.load(folder / "model.pt", weights_only=True))
        parts.append(predict(network, images).softmax(1))
    by_member = torch.stack(parts)
    hard, agreed = hard_labels(by_member, 0.6)
    assert 0 < int(agreed.sum()) < len(agreed)
    assert set(hard.tolist()) == {-1, 0, 1}
    np.testing.assert_array_equal(table.sample_id, toy.split.u)
    np.testing.assert_array_equal(table.hard_label, hard.numpy())
    np.testing.assert_array_equal(table.agreed, agreed.numpy())
    np.testing.assert_array_equal(table.soft_label, soft_labels(by_member).numpy())
    np.testing.assert_array_equal(table.member_probabilities, by_member.numpy().swapaxes(0, 1))
    # The least sure member decides, so agreed samples are above the threshold.
    assert table.min_confidence[table.agreed].min() > 0.6
    summary = outcome.summary
    assert (summary["unlabelled"], summary["agreed"]) == (26, int(agreed.sum()))
    assert summary["per_class"] == [int((hard == c).sum()) for c in (0, 1)]


def test_frames_name_their_clips_and_clips_that_are_not_labelled_alike_are_counted(
    toy, job: dict[str, Any], tmp_path: Path
) -> None:
    count = len(toy.target.labels)
    clips = tuple(f"{row // 3}.avi" for row in range(count))
    names = tuple(f"{clip}#{row}" for row, clip in enumerate(clips))
    samples = Samples(names=names, clips=clips, groups=clips)
    save_prepared(dataclasses.replace(toy.target, samples=samples), tmp_path / "t", sealed=False)
    table, outcome = labelled(job | {"target": str(tmp_path / "t")}, tmp_path / "of clips")

    assert list(table.source) == [f"toy/train:{names[row]}" for row in toy.split.u]
    assert list(table.clip) == [clips[row] for row in toy.split.u]
    soft = table.soft_label.argmax(1)
    by_clip = [
        ({*soft[of]}, {*table.hard_label[of & table.agreed]}, of.sum(), (of & table.agreed).sum())
        for of in (np.array(table.clip) == clip for clip in sorted({*table.clip}))
    ]
    several = [labels for labels, _, n, _ in by_clip if n > 1]
    several_hard = [labels for _, labels, _, n in by_clip if n > 1]
    found = outcome.summary["clips"]
    assert found == {
        "n": len(by_clip),
        "soft_disagree": np.mean([len(labels) > 1 for labels in several]),
        "hard_disagree": np.mean([len(labels) > 1 for labels in several_hard]),
    }
    assert 0 < found["soft_disagree"] < 1


@pytest.mark.parametrize("named", [True, False])
def test_images_have_no_clips(toy, job: dict[str, Any], tmp_path: Path, named: bool) -> None:
    names = tuple(f"{row}.jpg" for row in range(len(toy.target.labels)))
    samples = Samples(names=names, clips=names, groups=names) if named else None
    save_prepared(dataclasses.replace(toy.target, samples=samples), tmp_path / "t", sealed=False)
    table, outcome = labelled(job | {"target": str(tmp_path / "t")}, tmp_path / "of images")
    ending = ".jpg" if named else ""
    assert list(table.source) == [f"toy/train:{row}{ending}" for row in toy.split.u]
    assert table.clip is None
    assert outcome.summary["clips"] is None


def test_the_file_says_where_its_labels_came_from(toy, job: dict[str, Any], tmp_path: Path) -> None:
    table, _ = labelled(job, tmp_path)

    assert table.classes == ("2", "3")
    assert table.threshold == 0.6
    assert [(m.identity, m.run_id) for m in table.members] == [
        (f"identity {i}", f"run {i}") for i in range(3)
    ]
    assert table.digests == job["digests"]
    assert list(table.source) == [f"toy/train:{row}" for row in toy.split.u]


def test_the_content_does_not_depend_on_run_ids_and_on_nothing_less(
    job: dict[str, Any], tmp_path: Path
) -> None:
    def content(name: str, **changes: Any) -> str:
        outcome = labelled(job | changes, tmp_path / name)[1]
        assert outcome.contents == {PSEUDO_LABELS: outcome.summary["content"]}
        found: str = outcome.summary["content"]
        return found

    first = job["members"]
    renamed = [{**member, "run_id": "another run"} for member in first]
    swapped = [first[1], first[0], first[2]]
    other = [{**first[0], "identity": "another"}, *first[1:]]

    assert content("again") == content("first")
    assert content("renamed", members=renamed) == content("reference")
    files = [
        (tmp_path / name / "output" / PSEUDO_LABELS).read_bytes() for name in ("first", "renamed")
    ]
    assert files[0] != files[1]
    changed = [
        content("swapped", members=swapped),
        content("other", members=other),
        content("threshold", threshold=0.6 + 1e-9),
        content("digests", digests={}),
    ]
    assert len({*changed, content("plain")}) == 5


# The stage.


@pytest.fixture
def inputs(artifact_of, toy, job: dict[str, Any]) -> dict[str, Any]:
    folders = {name: str(toy.folder / name) for name in ("target", "split")}
    members = [
        {
            "digest": f"digest {i}",
            **{name: member[name] for name in ("folder", "method", "sources", "identity")},
        }
        for i, member in enumerate(job["members"])
    ]
    notes = {"runs": ["run 0", "run 1", "run 2"], "models": ["model 0", "model 1", "model 2"]}
    target = {"dataset": "toy", "split": "train"}
    return {
        "label": "pseudo-labels",
        "ensemble": artifact_of("top", {"members": members}, notes=notes),
        "target": artifact_of("target", target, folder=folders["target"]),
        "split": artifact_of("split", {"digests": DIGESTS}, folder=folders["split"]),
        **{name: job[name] for name in ("classes", "threshold", "network", "heads")},
    }


@pytest.fixture
def performed(runtime: Runtime, inputs: dict[str, Any], monkeypatch: pytest.MonkeyPatch):
    """The stage's artifact, made in this process."""

    def in_process(
        command: list[str], slot: object, *, log: Path, cwd: Path, poll: Any, **_: Any
    ) -> None:
        log.touch()
        assert worker.main(command[5:]) == 0

    def perform(**changes: Any) -> Artifact:
        with use(runtime):
            return label.STAGE.perform(given(label.PseudoLabelInputs, inputs | changes))

    monkeypatch.setattr(slot_job, "run_in_slot", in_process)
    return perform


def test_members_u_target_threshold_and_shapes_decide(inputs: dict[str, Any], artifact_of) -> None:
    def identity(**changes: Any) -> str:
        return label.describe(given(label.PseudoLabelInputs, inputs | changes)).identity

    members = inputs["ensemble"].summary["members"]
    changes: list[dict[str, Any]] = [
        {},
        {"ensemble": artifact_of("top", {"members": members[:2]})},
        {"ensemble": artifact_of("top", {"members": members[::-1]})},
        {"target": artifact_of("other")},
        {"split": artifact_of("split", {"digests": DIGESTS | {"U": "other"}})},
        {"threshold": 0.9},
        {"classes": ["3", "2"]},
        {"network": inputs["network"] | {"trunk": "resnet18"}},
        {"heads": {}},
    ]
    assert len({identity(**change) for change in changes}) == len(changes)
    assert identity(label="b") == identity()
    same_u = artifact_of("split", {"digests": DIGESTS | {"V": "other"}})
    assert identity(split=same_u) == identity()


def test_the_stage_hands_on_names_digests_and_members(
    runtime: Runtime, performed, inputs: dict[str, Any]
) -> None:
    artifact = performed()

    table = read_pseudo_labels(runtime.home / artifact.folder / PSEUDO_LABELS)
    assert [member.run_id for member in table.members] == ["run 0", "run 1", "run 2"]
    assert table.digests == artifact.document["inputs"]
    assert table.source[0].startswith("toy/train:")
    assert list(artifact.files) == [PSEUDO_LABELS]
    tracker = runtime.tracker
    tracker.log_model_inputs.assert_called_once_with("run-1", ["model 0", "model 1", "model 2"])
    read, written = [call.args for call in tracker.log_dataset.call_args_list]
    assert read == ("run-1", "U", "u" * 64, inputs["split"].folder, "unlabelled")
    content = artifact.summary["content"]
    assert written == ("run-1", "pseudo_labels", content, artifact.folder, "output")
    assert artifact.notes["run_id"] == "run-1"


def test_equal_labels_of_other_runs_have_equal_digests(
    runtime: Runtime, performed, inputs: dict[str, Any]
) -> None:
    first = performed()
    (runtime.home / first.folder / PSEUDO_LABELS).unlink()
    inputs["ensemble"].notes["runs"][0] = "another run"

    again = performed()

    assert again.files != first.files
    assert again.digest == first.digest


def test_another_split_labels_other_samples(job: dict[str, Any], toy, tmp_path: Path) -> None:
    few = Split(hyper_validation=toy.split.hyper_validation, v=toy.split.v, u=toy.split.u[:5])
    (tmp_path / "split").mkdir()
    save_split(few, tmp_path / "split" / "split.parquet")

    table, outcome = labelled(job | {"split": str(tmp_path / "split")}, tmp_path / "a")

    assert table.sample_id.tolist() == toy.split.u[:5].tolist()
    assert outcome.summary["unlabelled"] == 5
