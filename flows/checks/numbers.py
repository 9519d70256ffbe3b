"""Checks that there are enough files for k, hyper-validation and classes."""

from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping
from functools import partial

from data.counting import counted
from data.names import look_alike
from data.survey.summary import class_counts
from flows.checks.roles import Role, Roles, counts_of
from flows.experiment.datasets import Target
from flows.experiment.fields import HeldOut
from flows.experiment.issues import Finding, said, shown
from flows.experiment.own_data import TARGET
from flows.experiment.settings import Experiment

UNBALANCED = 3
"""Ratio of labels between the largest and smallest class that gives a warning."""
FEW_NAMES = 3
"""Number of classes named in a message."""


def wrong_numbers(target: Target, roles: Roles) -> Iterator[Finding]:
    """Problems with the number of files if V is drawn; for given labels, see `check_labelled`."""
    for role in roles.of("labelled"):
        counts = _units(role)
        yield from _too_few_classes(role)
        if target.labelled is None:
            yield from _wrong_as_drawn(target, role, counts)


def number_warnings(target: Target, roles: Roles) -> Iterator[str]:
    """Warnings about the counts and names of classes."""
    for role in roles.of("labelled"):
        counts = counts_of(role, class_counts(role.listing))
        if target.labelled is not None:
            yield from _unbalanced(counts)
            yield from _unscored(target, counts)
            yield from _left_out_of_the_score(role, roles)
    yield from _alike(roles)


def _units(role: Role) -> dict[str, int]:
    """Photos, or recordings, which are held out whole, per class in use."""
    if role.media == "photos":
        return counts_of(role, class_counts(role.listing))
    groups = {(file.label, file.group) for file in role.listing.files}
    every = {
        name: sum(label == place for label, _ in groups)
        for place, name in enumerate(role.listing.classes)
    }
    return counts_of(role, every)


def _too_few_classes(role: Role) -> Iterator[Finding]:
    if len(role.used) == 1:
        expected, found = "at least 2 classes", f"1, {shown(role.used[0])}"
        yield Finding(role.key, said(expected, found, "add a folder for each other class"))


def _wrong_as_drawn(target: Target, role: Role, counts: Mapping[str, int]) -> Iterator[Finding]:
    held = target.hyper_validation
    if role.media == "clips" or not isinstance(held, int) or not counts:
        return
    share, rest = divmod(held, len(counts))
    for k in target.k:
        needed = {name: share + (place < rest) + k for place, name in enumerate(counts)}
        short = [name for name, count in counts.items() if count < needed[name]]
        if short:
            expected = (
                f"at least {counted(needed[short[0]], 'training photo')} a class (k = {k}, and "
            )
            expected += f"{needed[short[0]] - k} for hyper-validation)"
            advice = "lower k or hyper_validation, or add photos"
            yield Finding((TARGET, "k"), said(expected, _listed(short, counts), advice))
        elif all(count == needed[name] for name, count in counts.items()):
            expected = f"photos that are left for U at k = {k}"
            advice = "lower k or hyper_validation, or add photos"
            yield Finding((TARGET, "k"), said(expected, "none", advice))


def few_left(experiment: Experiment, roles: Roles) -> Iterator[str]:
    """Warn if the enlarged V may use up all unlabelled files, leaving no S_u."""
    enlarged = experiment.ensemble.enlarged_v
    hard = [final for final in experiment.final if final.labels == "hard"]
    for role in roles.of("unlabelled") if hard else []:
        files = len(role.listing.files)
        for labelled in roles.of("labelled"):
            counts = _in_v(experiment.target.hyper_validation, labelled)
            if taken_from_u(counts, enlarged) >= files:
                yield (
                    f"ensemble.enlarged_v = {enlarged} of {len(counts)} classes may take all of "
                    f"the {counted(files, 'unlabelled file')}, leaving none to train on as a "
                    f"source; lower it to about {fitting_enlarged_v(counts, files)}."
                )


def taken_from_u(in_v: Collection[int], enlarged: int) -> int:
    """Number of files that an enlarged V takes from U, if U has enough of each class.

    Args:
        in_v: number of labelled files of each class in V.
        enlarged: number of files of each class in the enlarged V.
    """
    return sum(max(enlarged - count, 0) for count in in_v)


def fitting_enlarged_v(in_v: Collection[int], unlabelled: int) -> int:
    """Largest size of a class in the enlarged V that leaves half of U to S_u.

    Args:
        in_v: number of labelled files of each class in V.
        unlabelled: number of files in U.
    """
    sizes = range(min(in_v), max(in_v) + unlabelled)
    return bisect_right(sizes, unlabelled // 2, key=partial(taken_from_u, in_v)) - 1 + min(in_v)


def _in_v(hyper_validation: HeldOut, role: Role) -> list[int]:
    """Number of labelled files of each class in V, without those that are held out for good."""
    counts = list(counts_of(role, class_counts(role.listing)).values())
    if isinstance(hyper_validation, float):
        return [count - max(1, round(hyper_validation * count)) for count in counts]
    if isinstance(hyper_validation, int):
        return [count - hyper_validation // len(counts) for count in counts]
    return counts


def _unbalanced(counts: Mapping[str, int]) -> Iterator[str]:
    if not counts:
        return
    most, least = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
    if counts[most] >= UNBALANCED * counts[least]:
        yield (
            f"labelled files are unbalanced: {counts[most]:,} of {most}, {counts[least]:,} of "
            f"{least}; label a few more of the rare classes."
        )


def _left_out_of_the_score(labelled: Role, roles: Roles) -> Iterator[str]:
    """Warn of test files of a class that no labelled file has, so that no model can name it."""
    for test in roles.of("test"):
        counts = class_counts(test.listing)
        lost = {name: n for name, n in counts.items() if n and name not in labelled.used}
        if lost:
            yield (
                f"test: {test.media} that are not scored, as none is labelled with their class: "
                f"{_listed(list(lost), lost)}; label some, or move them out of the test folder."
            )


def _unscored(target: Target, counts: Mapping[str, int]) -> Iterator[str]:
    held = target.hyper_validation
    if isinstance(held, int) and held < len(counts):
        yield (
            f"hyper_validation = {held}, fewer than the {len(counts)} classes: not every class is "
            f"scored; raise it, or write {shown('cross')}."
        )


def _alike(roles: Roles) -> Iterator[str]:
    """Warn of class names that may mean the same, within the target or between it and a source."""
    of_target = {name for role in roles.of("labelled") for name in role.used}
    for role in [*roles.of("labelled"), *roles.of("source")]:
        for first, second in look_alike([*role.used, *sorted(of_target - {*role.used})]):
            # Report pairs within the target only once.
            if role.kind == "labelled" or not {first, second} <= of_target:
                yield (
                    f"{role.name}: the classes {shown(first)} and {shown(second)} look alike; "
                    "rename a folder if they are the same."
                )


def _listed(names: list[str], counts: Mapping[str, int]) -> str:
    found = ", ".join(f"{counts[name]} of {shown(name)}" for name in names[:FEW_NAMES])
    return found + _more(names)


def _more(names: list[str]) -> str:
    more = len(names) - FEW_NAMES
    return f" and {more} more" if more > 0 else ""
