"""Settings of GradMix, shared by its variants."""

from dataclasses import dataclass
from typing import get_args

from gradmix.declarations.choices import Direction, Grouping, Opposed
from gradmix.declarations.target import TargetConfig
from gradmix.settings import later
from gradmix.solving.solvers import solver_named


def refuse_unknown(opposed: str) -> None:
    """Reject values outside `Opposed`.

    Raises:
        ValueError: if the value is unknown; lists the valid ones.
    """
    if opposed not in get_args(Opposed):
        raise ValueError(f"opposed must be one of vertex, skip. Found {opposed!r}.")


def refuse_negative_beta(beta: float) -> None:
    """Check the rate of saturation of eta (Eq. 9).

    Raises:
        ValueError: if it is negative or NaN.
    """
    if not beta >= 0:
        raise ValueError(f"beta must not be negative, found {beta}.")


@dataclass(frozen=True, kw_only=True)
class SteeringConfig(TargetConfig):
    """Settings of GradMix.

    Attributes:
        beta: rate of saturation of eta (Eq. 9), not negative.
        gamma: shift of eta (Eq. 9).
        adaptive: whether eta scales the learning rate (§3.4); if not, eta = 1.
        solver: solver of the layer weights (Eq. 6).
        grouping: what counts as a layer. Rho is rescaled to `layer`, so that beta means the same
            for every grouping.
        opposed: what to do in a layer where no source's gradient points along V's: use the least
            bad source alone (`vertex`, the optimum of Eq. 6, which Eq. 7 scales up to a full
            step) or skip the sources (`skip`).
        v_trains_trunk: whether V's own gradient is added to the mixture in the trunk. Eq. 10 has
            only the sources'; the paper also says that it trains on all data sets (§3.5).
        v_trains_head: whether V's gradient also updates the target's head; the paper lists V among
            the training data but does not say how it is used.
        soft_direction: `reverse` for the paper's D_KL(p_theta, soft label), or `forward`.
    """

    beta: float = 5.0
    gamma: float = 0.4
    adaptive: bool = True
    solver: str = "exact"
    grouping: Grouping = "layer"
    opposed: Opposed = later("vertex")
    v_trains_trunk: bool = later(False)
    v_trains_head: bool = True
    soft_direction: Direction = "reverse"

    def __post_init__(self) -> None:
        """Check the settings."""
        refuse_unknown(self.opposed)
        if self.soft_direction not in get_args(Direction):
            raise ValueError(
                f"soft_direction must be one of reverse, forward. Found {self.soft_direction!r}."
            )
        solver_named(self.solver)
        refuse_negative_beta(self.beta)
