"""The loop: which model is kept, and the contents of curve rows and states."""

import math
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from gradmix.declarations.declaration import Declaration
from gradmix.declarations.optimiser import OptimiserConfig
from gradmix.declarations.training import TrainingConfig
from gradmix.method import Method, copied_state
from gradmix.sampling import Stream
from gradmix.training import HyperValidation, train

LABELS = HyperValidation(torch.zeros(4, 16, 16, 1, dtype=torch.uint8), torch.tensor([0, 1, 0, 1]))


class Scripted(Method):
    """Predicts `right` of the four labels with a margin, as scripted for every step."""

    declaration = Declaration(
        name="scripted",
        config=object,
        implementation=f"{__name__}:Scripted",
        source_scope="none",
        uses_target=False,
    )

    def __init__(self, script: Sequence[tuple[int, float]], figures=()) -> None:
        self.network = nn.Linear(1, 1, bias=False)
        self.network.weight.data.zero_()
        self.script, self.scripted_figures = script, figures

    def update(self, sources, target, unlabelled=None) -> dict[str, float]:  # noqa: ARG002
        assert list(sources) == []
        assert target is None
        self.network.weight.data.add_(1.0)
        step = int(self.network.weight)
        return self.scripted_figures[step - 1] if self.scripted_figures else {}

    def predict(self, images: Tensor) -> Tensor:
        assert len(images) == len(LABELS.labels)
        right, margin = self.script[max(int(self.network.weight) - 1, 0)]
        signs = torch.where(torch.arange(4) < right, 1.0, -1.0)[:, None]
        return margin * signs * nn.functional.one_hot(LABELS.labels, 2)

    def state_dict(self):
        return {"network": {k: v.clone() for k, v in self.network.state_dict().items()}}

    def load_state_dict(self, state) -> None:
        self.network.load_state_dict(state["network"])


def run(script, figures=(), steps=None, validate_every=1, **options):
    config = TrainingConfig(steps=steps or len(script), validate_every=validate_every)
    target = Stream("V", LABELS.images, LABELS.labels, "target", 4, 0)
    return train(Scripted(script, figures), [], target, LABELS, config, **options)


def kept_step(training) -> int:
    return int(training.best_model["weight"])


def test_the_highest_accuracy_is_kept() -> None:
    training = run([(2, 1.0), (4, 0.1), (3, 9.0)])
    assert (training.best_step, kept_step(training), training.best.accuracy) == (2, 2, 1.0)
    assert training.last.accuracy == 0.75
    assert training.step == 3


def test_of_equal_accuracies_the_lowest_loss_is_kept() -> None:
    # With three of four right, the loss (3 ln(1+e^-m) + ln(1+e^m)) / 4 is .563, .562, .599.
    training = run([(3, 1.0), (3, 1.1), (3, 0.5)])
    assert (training.best_step, kept_step(training)) == (2, 2)
    expected = (3 * math.log(1 + math.exp(-1.1)) + math.log(1 + math.exp(1.1))) / 4
    assert training.best.loss == pytest.approx(expected)


def test_a_lower_loss_does_not_make_up_for_a_lower_accuracy() -> None:
    assert run([(3, 9.0), (2, 0.01)]).best_step == 1


def test_of_equal_scores_the_first_is_kept() -> None:
    training = run([(1, 1.0), (3, 1.0), (3, 1.0)])
    assert (training.best_step, kept_step(training)) == (2, 2)


def test_validation_comes_every_so_many_steps_and_after_the_last() -> None:
    training = run([(2, 1.0)] * 7, validate_every=3)
    assert [row["step"] for row in training.curve] == [3.0, 6.0, 7.0]


def test_a_method_knows_which_share_of_the_training_lies_behind_it(monkeypatch) -> None:
    seen, update = [], Scripted.update

    def noted(method, *batches):
        seen.append(method.progress)
        return update(method, *batches)

    monkeypatch.setattr(Scripted, "update", noted)
    states = []
    run([(2, 1.0)] * 4, on_validation=lambda _, state: states.append(state()))
    assert seen == [0.0, 0.25, 0.5, 0.75]
    run([(2, 1.0)] * 4, resume=states[1])
    assert seen[4:] == [0.5, 0.75]


def test_counts_are_added_up_and_other_figures_averaged_between_validations() -> None:
    figures = [
        {"loss/S": 1.0, "count/cone": 2.0},
        {"loss/S": 2.0},
        {"loss/S": 6.0, "count/cone": 1.0, "count/vertex": 5.0},
        {"loss/S": 8.0},
    ]
    first, second = run([(3, 1.0)] * 4, figures, validate_every=3).curve
    assert first["loss/S"] == pytest.approx(3.0)
    assert (first["count/cone"], first["count/vertex"]) == (3.0, 5.0)
    assert second["loss/S"] == 8.0
    assert "count/cone" not in second
    assert first["hyper_validation/accuracy"] == 0.75
    assert first["hyper_validation/loss"] > 0


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_figure_that_is_not_finite_ends_the_training_with_its_step(bad) -> None:
    figures = [{"loss/S": 1.0}, {"loss/S": bad}]
    with pytest.raises(FloatingPointError, match=f"^step 2: loss/S is {bad}"):
        run([(2, 1.0)] * 2, figures)


def test_a_model_that_predicts_no_number_ends_the_training_with_its_step() -> None:
    with pytest.raises(FloatingPointError, match=r"^step 2: the hyper-validation loss is nan"):
        run([(2, 1.0), (2, math.nan)])


def test_every_validation_is_announced_with_a_state_that_stays_as_it_was() -> None:
    script = [(1, 1.0), (2, 1.0), (3, 1.0)]
    seen = []
    whole = run(script, on_validation=lambda training, state: seen.append((training.step, state())))
    assert [step for step, _ in seen] == [1, 2, 3]
    assert [state["step"] for _, state in seen] == [1, 2, 3]
    assert [len(state["curve"]) for _, state in seen] == [1, 2, 3]
    resumed = run(script, resume=seen[0][1])
    assert resumed.curve == whole.curve
    assert len(seen[0][1]["curve"]) == 1
    assert (resumed.best, resumed.best_step) == (whole.best, whole.best_step)


def test_a_finished_training_resumes_to_itself() -> None:
    states = []
    whole = run([(2, 1.0)] * 2, on_validation=lambda _, state: states.append(state()))
    again = run([(2, 1.0)] * 2, resume=states[-1])
    assert again.curve == whole.curve
    assert again.step == 2


def test_a_state_for_other_streams_is_refused(toy) -> None:
    states = []
    script = [(2, 1.0)] * 2
    run(script, steps=1, on_validation=lambda _, state: states.append(state()))
    with pytest.raises(ValueError, match="a state with 3 streams, found 1"):
        train(
            Scripted(script),
            toy.streams(),
            toy.target(),
            LABELS,
            TrainingConfig(),
            resume=states[0],
        )


def test_a_start_that_training_harms_is_kept(toy) -> None:
    first = toy.method("source_only")
    for _ in range(20):
        first.update(toy.batches()[0], None)
    start = copied_state(first.network)
    method = toy.method("fine_tune", first.network, optimiser=OptimiserConfig(learning_rate=50.0))
    config = TrainingConfig(steps=3, validate_every=1)
    arguments = (method, [], toy.target(), toy.hyper_validation(), config)
    training = train(*arguments, score_start=True)
    assert training.best_step == 0
    assert [row["step"] for row in training.curve] == [0.0, 1.0, 2.0, 3.0]
    assert training.curve[0].keys() == {
        "step",
        "hyper_validation/accuracy",
        "hyper_validation/loss",
    }
    assert training.last.accuracy < training.best.accuracy
    for name, value in start.items():
        assert torch.equal(training.best_model[name], value), name


def test_a_start_is_scored_once_and_only_if_asked_for() -> None:
    def states(**options):
        found = []
        script = [(2, 1.0)] * 2
        whole = run(script, on_validation=lambda _, state: found.append(state()), **options)
        return whole, found

    assert [state["step"] for state in states()[1]] == [1, 2]
    whole, found = states(score_start=True)
    assert [state["step"] for state in found] == [0, 1, 2]
    resumed = run([(2, 1.0)] * 2, score_start=True, resume=found[0])
    assert resumed.curve == whole.curve


@pytest.mark.parametrize("length", [{"steps": 0}, {"validate_every": 0}])
def test_a_training_without_a_step_is_refused(length) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        TrainingConfig(**length)


def test_with_nothing_to_be_scored_on_the_last_step_is_kept(toy) -> None:
    method, config = toy.method("joint"), TrainingConfig(steps=3, validate_every=2)
    training = train(method, toy.streams(), toy.target(), None, config)
    assert (training.step, training.best_step) == (3, 3)
    assert [row["step"] for row in training.curve] == [2.0, 3.0]
    kept, now = training.best_model, method.network.state_dict()
    assert all(torch.equal(kept[name], now[name]) for name in kept)
