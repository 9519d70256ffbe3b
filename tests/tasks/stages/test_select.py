"""Stage select: the best trainings on hyper-validation."""

import json
from typing import Any

import pytest

from tasks.engine.runtime import Runtime, use
from tasks.stages import select as selection
from tasks.stages.select import SelectInputs
from tasks.stages.trained_models import model_of
from tasks.storage.artifacts import Artifact
from tasks.subjects import Subject


@pytest.fixture
def candidate(artifact_of):
    def make(
        name: str,
        accuracy: float,
        loss: float = 0.5,
        pseudo: str | None = None,
        **others: Any,
    ) -> Artifact:
        config = {
            "method": "gradmix",
            "learning_rate": accuracy / 10,
            "settings": {"beta": loss},
            "order": {"sources": ["S1", "S2"]},
            "pseudo": pseudo,
        }
        made: Artifact = artifact_of(
            name,
            {"accuracy": accuracy, "loss": loss, "last_accuracy": 1.0},
            notes={"run_id": f"run {name}", "model_id": f"model {name}"},
            document={"config": config},
            **others,
        )
        return made

    return make


def inputs(candidates: list[Artifact], r: int, label: str = "best") -> SelectInputs:
    return SelectInputs(subject=Subject(name=label), candidates=tuple(candidates), r=r)


def selected(runtime: Runtime, candidates: list[Artifact], r: int) -> Artifact:
    with use(runtime):
        return selection.STAGE.perform(inputs(candidates, r))


def test_the_highest_accuracy_wins_then_the_lower_loss_then_the_order(
    runtime: Runtime, candidate
) -> None:
    candidates = [
        candidate("low", 0.7, 0.1),
        candidate("tied late", 0.9, 0.4),
        candidate("tied later", 0.9, 0.4),
        candidate("tied sure", 0.9, 0.3),
        candidate("top", 0.95, 0.9),
    ]

    artifact = selected(runtime, candidates, 4)

    assert artifact.notes["labels"] == ["top", "tied sure", "tied late", "tied later"]
    assert artifact.notes["runs"] == [f"run {name}" for name in artifact.notes["labels"]]
    assert artifact.notes["models"] == [f"model {name}" for name in artifact.notes["labels"]]
    assert artifact.summary["candidates"] == 5
    assert [member["accuracy"] for member in artifact.summary["members"]] == [0.95, 0.9, 0.9, 0.9]


def test_a_member_brings_what_later_stages_need(runtime: Runtime, candidate) -> None:
    artifact = selected(runtime, [candidate("one", 0.8, 0.4)], 1)

    member = artifact.summary["members"][0]
    assert member == {
        "identity": "identity of one",
        "digest": "digest of one",
        "folder": "one",
        "learning_rate": 0.08,
        "settings": {"beta": 0.4},
        "method": "gradmix",
        "sources": ["S1", "S2"],
        "accuracy": 0.8,
        "loss": 0.4,
    }
    stored = (runtime.home / artifact.folder / "members.json").read_text()
    assert json.loads(stored) == [member]


def test_pseudo_labels_are_one_more_source_of_a_model(candidate) -> None:
    plain, labelled = candidate("plain", 0.8), candidate("labelled", 0.8, pseudo="hard")
    assert model_of(plain)["sources"] == ["S1", "S2"]
    assert model_of(labelled)["sources"] == ["S1", "S2", "S_u"]


def test_r_the_candidates_and_their_order_decide_and_the_label_does_not(candidate) -> None:
    one, other = candidate("one", 0.8), candidate("other", 0.8)
    twin = candidate("one", 0.8, identity="of other settings with the same weights")

    def identity(candidates: list[Artifact], r: int = 1, label: str = "best") -> str:
        return selection.describe(inputs(candidates, r, label)).identity

    different = [[one, other], [other, one], [one], [twin, other]]
    assert len({identity(candidates) for candidates in different}) == 4
    assert identity([one, other], 2) != identity([one, other], 1)
    assert identity([one, other], label="same") == identity([one, other])


@pytest.mark.parametrize("r", [0, 3])
def test_more_members_than_candidates_are_refused(runtime: Runtime, candidate, r: int) -> None:
    with pytest.raises(ValueError, match=f"between 1 and the 2 candidates, found {r}"):
        selected(runtime, [candidate("one", 0.8), candidate("other", 0.7)], r)


def test_a_cross_fitted_choice_counts_by_all_its_parts_and_keeps_their_order(
    runtime, candidate, artifact_of
) -> None:
    # Parts of 1 and 3 samples: 0.0 and 0.8 make 0.6; 1.0 and 0.4 make 0.55.
    first = [candidate("a0", 0.0), candidate("a1", 0.8)]
    second = [candidate("b0", 1.0), candidate("b1", 0.4)]
    for step, one in enumerate([*first, *second]):
        one.summary["best_step"] = 10 * step
    parts = [artifact_of(f"part {size}", {"counts": {"hyper_validation": size}}) for size in (1, 3)]
    given = SelectInputs(
        subject=Subject(name="best"),
        candidates=(*second, *first),
        r=1,
        parts=tuple(parts),
    )
    with use(runtime):
        chosen = selection.STAGE.perform(given)
    assert [member["accuracy"] for member in chosen.summary["members"]] == [0.0, 0.8]
    assert chosen.summary["crossed"] == {
        "accuracy": pytest.approx(0.6),
        "loss": pytest.approx(0.5),
        "best_step": 5.0,
        "n": 4,
    }
