"""Where the loss on U enters GradMix, checked with a simple loss."""

from dataclasses import dataclass

import pytest
import torch

from gradmix.declarations.declaration import Declaration
from gradmix.declarations.methods.gradmix import GradMixConfig
from gradmix.declarations.optimiser import OptimiserConfig
from gradmix.declarations.unlabelled import SemiSupervisedConfig
from gradmix.methods.gradmix import GradMix
from gradmix.unlabelled.semi_supervised import SemiSupervised, aligned, ramped


@dataclass(frozen=True, kw_only=True)
class MeanLogitConfig(SemiSupervisedConfig):
    pass


class MeanLogit(SemiSupervised):
    declaration = Declaration(
        name="mean_logit", config=MeanLogitConfig, implementation=f"{__name__}:MeanLogit"
    )

    def unlabelled_loss(self, images, target):
        return self.logits(images, target.head).square().mean()


def method_of(toy, sources=("near", "far"), **settings) -> MeanLogit:
    return MeanLogit(toy.network(), sources, OptimiserConfig(), MeanLogitConfig(**settings))


def stepped(toy, method) -> dict[str, float]:
    sources, target = toy.batches()
    return method.update(sources, target, toy.unlabelled().next())


def gradient_of_u(toy) -> torch.Tensor:
    """The plain gradient of the loss on U at the first step, in the flat layout."""
    method = method_of(toy)
    method.flat.zero()
    method.backward_unlabelled(toy.batches()[1], toy.unlabelled().next())
    return method.flat.gradients[2].clone()


def test_without_pseudo_labels_u_is_a_source_of_its_own(toy) -> None:
    method = method_of(toy)
    figures = stepped(toy, method)
    assert method.mixed == ("near", "far", "U")
    assert {key.split("/")[-1] for key in figures if key.startswith("weight/")} == {*method.mixed}
    torch.testing.assert_close(method.flat.gradients[2], gradient_of_u(toy))


def test_with_pseudo_labels_it_is_the_second_loss_of_their_source(toy) -> None:
    method, plain = method_of(toy, ("near", "S_u")), method_of(toy, ("near", "far"))
    stepped(toy, method)
    stepped(toy, plain)
    assert method.mixed == ("near", "S_u")
    both = plain.flat.gradients[1] + plain.flat.gradients[2]
    torch.testing.assert_close(method.flat.gradients[1], both, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("weight", [0.5, 3.0])
def test_an_added_term_is_added_after_mixing_with_its_weight(toy, weight) -> None:
    method = method_of(toy, unlabelled_term="added", unlabelled_weight=weight)
    plain = GradMix(toy.network(), ("near", "far"), OptimiserConfig(), GradMixConfig())
    stepped(toy, method)
    plain.update(*toy.batches())
    assert method.mixed == ("near", "far")
    expected = plain.flat.gradient + weight * gradient_of_u(toy)
    torch.testing.assert_close(method.flat.gradient, expected, atol=1e-6, rtol=1e-4)


def test_the_loss_that_is_reported_is_not_weighted(toy) -> None:
    light, heavy = method_of(toy), method_of(toy, unlabelled_weight=10.0)
    assert stepped(toy, light)["loss/U"] == stepped(toy, heavy)["loss/U"] > 0.0
    torch.testing.assert_close(heavy.flat.gradients[2], 10.0 * light.flat.gradients[2])


def test_running_statistics_are_updated_only_if_asked_for(toy) -> None:
    method, images = method_of(toy), toy.unlabelled().next()
    method.network.train()
    norm = method.network.trunk.features[1]
    before = norm.running_mean.clone()
    quiet = method.logits(images, "target")
    assert torch.equal(norm.running_mean, before)
    assert torch.equal(method.logits(images, "target", update_statistics=True), quiet)
    assert not torch.equal(norm.running_mean, before)


def test_draws_follow_the_seed_the_caller_set_and_leave_its_generator_alone(toy) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        before = torch.get_rng_state()
        one, again = method_of(toy), method_of(toy)
        assert torch.equal(torch.get_rng_state(), before)
        torch.manual_seed(2)
        other = method_of(toy)
    drawn = [torch.rand(4, generator=m.generator) for m in (one, again, other)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_the_generator_is_part_of_the_state(toy) -> None:
    method, other = method_of(toy), method_of(toy)
    torch.rand(7, generator=method.generator)
    other.load_state_dict(method.state_dict())
    drawn = [torch.rand(4, generator=m.generator) for m in (method, other)]
    assert torch.equal(*drawn)


@pytest.mark.parametrize(
    ("setting", "found"),
    [
        ({"unlabelled_weight": -0.5}, "unlabelled_weight must not be negative, found -0.5"),
        ({"unlabelled_weight": float("nan")}, "unlabelled_weight must not be negative, found nan"),
        ({"unlabelled_term": "mix"}, "unlabelled_term must be one of mixed, added. Found 'mix'"),
        ({"solver": "best"}, "solver must be one of"),
    ],
)
def test_an_impossible_setting_is_refused(setting, found) -> None:
    with pytest.raises(ValueError, match=found):
        SemiSupervisedConfig(**setting)


def test_the_base_has_no_loss_on_u(toy) -> None:
    base = SemiSupervised(toy.network(), ["near"], OptimiserConfig(), SemiSupervisedConfig())
    with pytest.raises(NotImplementedError):
        base.unlabelled_loss(toy.unlabelled().next(), toy.batches()[1])


@pytest.mark.parametrize(
    ("progress", "share", "weight"),
    [(0.0, 0.4, 0.0), (0.1, 0.4, 0.25), (0.4, 0.4, 1.0), (0.8, 0.4, 1.0), (0.0, 0.0, 1.0)],
)
def test_a_ramp_is_linear_over_its_share_of_the_training(progress, share, weight) -> None:
    assert ramped(progress, share) == pytest.approx(weight)


def test_aligned_predictions_of_the_frequencies_found_have_those_wanted_on_average() -> None:
    wanted, found = torch.tensor([0.2, 0.8]), torch.tensor([0.6, 0.4])
    torch.testing.assert_close(aligned(found[None], wanted, found)[0], wanted)
    even = torch.full((2,), 0.5)
    torch.testing.assert_close(aligned(found[None], even, even)[0], found)
