"""Projection onto a cone of unit vectors by active sets, in plain floats."""

from collections.abc import Sequence

from gradmix.solving.layer_problem import TIE

Matrix = Sequence[Sequence[float]]

SMALLEST_PIVOT = 1e-10
"""Minimum squared distance of a unit vector from the span of others it is independent of."""


def project(matrix: Matrix, right: Sequence[float]) -> tuple[list[float], list[float]]:
    """Minimise u'Mu / 2 - b'u over u >= 0 by active sets (Lawson and Hanson).

    The source along which the value falls fastest enters the support, and those it makes redundant
    leave. Changes that do not lower the value are rejected, so no support repeats and the search
    terminates. Supports that are linearly dependent up to rounding are never used.

    Args:
        matrix: M [k, k], dot products of unit vectors.
        right: b [k], with a positive maximum.

    Returns:
        u [k], and the slopes b - Mu [k], none of them positive.
    """
    first = max(range(len(right)), key=right.__getitem__)
    columns = [0.0] * len(right)
    columns[first] = right[first]
    value, refused = right[first] ** 2, set[int]()
    while True:
        slopes = _slopes(matrix, right, columns)
        rising = [
            j for j, s in enumerate(slopes) if s > TIE and not columns[j] and j not in refused
        ]
        if not rising:
            return columns, slopes
        entering = max(rising, key=slopes.__getitem__)
        changed = _entered(matrix, right, columns, entering)
        reached = sum(u * b for u, b in zip(changed, right, strict=True))
        if reached > value:
            columns, value, refused = changed, reached, set()
        else:
            refused.add(entering)


def _slopes(matrix: Matrix, right: Sequence[float], columns: Sequence[float]) -> list[float]:
    """Rate at which the value falls along each source, b - Mu [k]; zero on the support."""
    support = [(i, u) for i, u in enumerate(columns) if u]
    slopes = list(right)
    for j, row in enumerate(matrix):
        for i, u in support:
            slopes[j] -= row[i] * u
    return slopes


def _entered(
    matrix: Matrix, right: Sequence[float], columns: Sequence[float], entering: int
) -> list[float]:
    """The optimum on the support with one more source, minus sources that become redundant.

    All zero if there is none, which is never an improvement.
    """
    now = list(columns)
    support = [i for i, u in enumerate(columns) if u or i == entering]
    wanted = _on_face(matrix, right, support)
    if wanted is None:
        support = _exchange(matrix, now, support, entering)
        wanted = _on_face(matrix, right, support)
    while wanted is not None and min(wanted) <= 0.0:
        support = _retreat(now, support, wanted)
        wanted = _on_face(matrix, right, support)
    changed = [0.0] * len(right)
    for i, u in zip(support, wanted or (), strict=False):
        changed[i] = u
    return changed


def _exchange(matrix: Matrix, now: list[float], support: list[int], entering: int) -> list[int]:
    """The support after a nearly dependent source has replaced one of its sources.

    `now` is rewritten in place, keeping the mixture where possible. Empty if the source points
    against the support, so that they would only cancel out.
    """
    others = [i for i in support if i != entering]
    shares = _on_face(matrix, [row[entering] for row in matrix], others)
    if shares is None or max(shares) <= TIE:
        return []
    pairs = list(zip(others, shares, strict=True))
    step, leaving = min((now[i] / a, i) for i, a in pairs if a > TIE)
    for i, a in pairs:
        now[i] -= step * a
    now[entering] = step
    return [i for i in support if i != leaving]


def _retreat(now: list[float], support: list[int], wanted: Sequence[float]) -> list[int]:
    """The support after a step from `now`, modified in place, towards a point outside the cone.

    The step ends where the first source reaches zero weight; that source leaves.
    """
    targets = dict(zip(support, wanted, strict=True))
    step, leaving = min(
        (now[i] / (now[i] - w) if now[i] > 0.0 else 0.0, i) for i, w in targets.items() if w <= 0.0
    )
    for i, w in targets.items():
        now[i] += step * (w - now[i])
    return [i for i in support if i != leaving]


def _on_face(matrix: Matrix, right: Sequence[float], support: Sequence[int]) -> list[float] | None:
    """Solve M u = b on a support by elimination.

    None if the sources of the support are linearly dependent up to rounding, or it is empty.
    """
    rows = [[matrix[i][j] for j in support] + [right[i]] for i in support]
    n = len(rows)
    for i, pivot_row in enumerate(rows):
        pivot = pivot_row[i]
        if pivot < SMALLEST_PIVOT:
            return None
        for row in rows[i + 1 :]:
            factor = row[i] / pivot
            for column in range(i + 1, n + 1):
                row[column] -= factor * pivot_row[column]
    solved = [row[n] for row in rows]
    for i in reversed(range(n)):
        row = rows[i]
        for column in range(i + 1, n):
            solved[i] -= row[column] * solved[column]
        solved[i] /= row[i]
    return solved or None
