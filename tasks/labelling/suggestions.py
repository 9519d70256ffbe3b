"""Which samples to label next: diverse samples on which members disagree, and a control."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from tasks.labelling.opinions import disagreement

Why = Literal["suggested", "control"]
REASONS: tuple[Why, ...] = get_args(Why)
_POOL = 10
"""Number of most disagreed candidates considered per sample chosen."""


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """A sample to label, by number, and the reason; the control is random."""

    sample: int
    why: Why


def suggestions(
    probabilities: npt.NDArray[np.float32], known: npt.NDArray[np.bool_], count: int, seed: int
) -> list[Suggestion]:
    """Suggested samples and as many random ones, in random order.

    Suggestions may be no better than chance, so half of what a person labels is a random control,
    indistinguishable during labelling; trainings on either half can be compared. A sample in both
    halves is marked as suggested but belongs to the control too, so the control is drawn from all
    samples and is representative of them.

    Args:
        probabilities: [N, R, C], probabilities of the members.
        known: bool [N], samples already labelled by a person, which are left out.
        count: number of samples in each half.
        seed: seed of the control and the order.
    """
    free = np.flatnonzero(~known)
    rng = np.random.default_rng([seed, len(known)])
    control = rng.permutation(free)[:count]
    chosen = free[diverse(probabilities[free], count)]
    both = [Suggestion(sample=int(sample), why="suggested") for sample in chosen]
    both += [Suggestion(sample=int(sample), why="control") for sample in control]
    return [both[place] for place in rng.permutation(len(both))]


def diverse(probabilities: npt.NDArray[np.float32], count: int) -> npt.NDArray[np.int64]:
    """Choose disagreed samples that are far from each other, the most disagreed first.

    Greedy k-centre (Gonzalez 1985; for choosing what to label, Sener and Savarese 2018) among the
    samples with the largest disagreement, by Euclidean distance between the members' concatenated
    probabilities: each next sample is the one farthest from those before it.

    Args:
        probabilities: [N, R, C].
        count: number of samples to choose; all if there are fewer.

    Returns:
        Numbers of samples, int64 [min(count, N)], in the order of choice.
    """
    said = disagreement(probabilities)
    pool = np.argsort(-said, kind="stable")[: _POOL * count]
    places = np.nan_to_num(probabilities[pool]).reshape(
        len(pool), int(np.prod(probabilities.shape[1:]))
    )
    chosen: list[int] = []
    distance = np.full(len(pool), np.inf)
    for _ in range(min(count, len(pool))):
        # Initially all distances are equal, so the first is the most disagreed of the sorted pool.
        following = int(distance.argmax())
        chosen.append(following)
        distance = np.minimum(distance, np.linalg.norm(places - places[following], axis=1))
        distance[chosen] = -1.0
    found: npt.NDArray[np.int64] = pool[chosen].astype(np.int64)
    return found
