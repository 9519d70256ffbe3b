"""Which samples to label next: those on which members disagree, far apart; and a control."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from tasks.labelling.opinions import disagreement

Why = Literal["suggested", "control"]
REASONS: tuple[Why, ...] = get_args(Why)
_POOL = 10
"""Times as many of the most disagreed samples are looked at as are chosen."""


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """A sample to label: its number, and why; the control is drawn at random."""

    sample: int
    why: Why


def suggestions(
    probabilities: npt.NDArray[np.float32], known: npt.NDArray[np.bool_], count: int, seed: int
) -> list[Suggestion]:
    """As many suggested samples as random ones, in one random order.

    Whether suggestions are better than chance is not sure, so half of what a person labels is the
    control, which is not told apart while it is labelled: what a training gains from either half
    can be compared. A sample that both halves name counts as a suggestion and as the control's, so
    the control is drawn from all samples and is representative of them.

    Args:
        probabilities: [N, R, C], of the members.
        known: bool [N], samples that a person has labelled already: these are not named.
        count: of each half.
        seed: of the control and of the order.
    """
    free = np.flatnonzero(~known)
    rng = np.random.default_rng([seed, len(known)])
    control = rng.permutation(free)[:count]
    chosen = free[diverse(probabilities[free], count)]
    both = [Suggestion(sample=int(sample), why="suggested") for sample in chosen]
    both += [Suggestion(sample=int(sample), why="control") for sample in control]
    return [both[place] for place in rng.permutation(len(both))]


def diverse(probabilities: npt.NDArray[np.float32], count: int) -> npt.NDArray[np.int64]:
    """The most disagreed sample, and those of the most disagreed ones that are far from it.

    Greedy k-centre (Gonzalez 1985; for choosing what to label, Sener and Savarese 2018) among the
    samples with the largest disagreement, by the Euclidean distance of the members' probabilities,
    all members' one after the other: each next sample is the one farthest from those before it.

    Args:
        probabilities: [N, R, C].
        count: of the samples, or all if there are fewer.

    Returns:
        Numbers of samples, int64 [min(count, N)], in the order in which they were chosen.
    """
    said = disagreement(probabilities)
    pool = np.argsort(-said, kind="stable")[: _POOL * count]
    places = np.nan_to_num(probabilities[pool]).reshape(
        len(pool), int(np.prod(probabilities.shape[1:]))
    )
    chosen: list[int] = []
    distance = np.full(len(pool), np.inf)
    for _ in range(min(count, len(pool))):
        # The first is the most disagreed: the pool is sorted, and all are as far from nothing.
        following = int(distance.argmax())
        chosen.append(following)
        distance = np.minimum(distance, np.linalg.norm(places - places[following], axis=1))
        distance[chosen] = -1.0
    found: npt.NDArray[np.int64] = pool[chosen].astype(np.int64)
    return found
