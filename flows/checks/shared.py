"""Checks for photos and clips in two places, which would leak labels or the test set."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from data.counting import counted, singular
from data.digest_cache import KnownDigests
from data.listing import Listing
from data.survey.copies import (
    Contents,
    Copies,
    hashed,
    in_both,
    in_two_classes,
    look_alikes,
)
from flows.checks.pictures import shortest
from flows.checks.roles import Kind, Role, Roles
from flows.experiment.issues import Finding, said

Bytes = Mapping[int, Contents]
"""Contents of each role, by its `id`."""
SAMPLE = 500
"""Evenly spaced files per role to compare visually."""
COMPARED: tuple[tuple[Kind, Kind], ...] = (
    ("test", "labelled"),
    ("test", "unlabelled"),
    ("test", "source"),
    ("labelled", "unlabelled"),
)


def wrong_shared(roles: Roles, bytes_of: Bytes) -> Iterator[Finding]:
    """Problems: equal files in two classes, or in both test and training data."""
    for role in [*roles.of("labelled"), *roles.of("test")]:
        copies = in_two_classes(_used(role, bytes_of))
        if copies:
            expected, found = "every file in one class", _same(copies, "in two classes")
            yield Finding(role.key, said(expected, found, "remove it from one of them"))
    labels, tests = [*roles.of("labelled")], roles.of("test")
    others = [*labels, *roles.of("unlabelled"), *roles.of("source")]
    pairs = [(test, other) for test in tests for other in others]
    pairs += [(source, label) for source in roles.of("source") for label in labels]
    for first, second in pairs:
        copies = in_both(_used(first, bytes_of), _used(second, bytes_of))
        if copies:
            found = _same(copies, f"in {first.name} and in {second.name}")
            expected = f"no file of {first.name} in {second.name}"
            yield Finding(first.key, said(expected, found, "remove it from one of them"))


def empty_unlabelled(roles: Roles, bytes_of: Bytes) -> Iterator[Finding]:
    """Problem: all unlabelled files are also labelled."""
    for role in roles.of("unlabelled"):
        for labelled in roles.of("labelled"):
            copies = in_both(bytes_of[id(role)], bytes_of[id(labelled)])
            if copies and copies.count == len(role.listing.files):
                expected = "unlabelled files that are not labelled too"
                yield Finding(role.key, said(expected, "none", "name another folder"))


def shared_warnings(roles: Roles, bytes_of: Bytes, known: KnownDigests) -> Iterator[str]:
    """Warnings: harmless copies, and files that look alike (perceptual hash)."""
    yield from _copies_in_sources(roles, bytes_of)
    yield from _labelled_twice(roles, bytes_of)
    hashes = {(role.kind, role.name): hashed(_used_files(role), SAMPLE) for role in roles.found}
    for first, second in _compared(roles):
        copies = look_alikes(
            hashes[first.kind, first.name], hashes[second.kind, second.name], known
        )
        if copies:
            some = _sampled(first, second)
            yield (
                f"{first.name}: {_looks(copies, first)} like one of {second.name}{some}, as "
                f"{_pair(copies)}; {_why(first)}."
            )
    for role in roles.of("labelled"):
        mine = hashes[role.kind, role.name]
        copies = look_alikes(mine, mine, known, apart=_label_of(role))
        if copies:
            yield (
                f"labelled: {_looks(copies, role)} like one of another class, as {_pair(copies)}; "
                "check their labels."
            )


def _copies_in_sources(roles: Roles, bytes_of: Bytes) -> Iterator[str]:
    for role in roles.of("source"):
        copies = in_two_classes(_used(role, bytes_of))
        if copies:
            yield f"{role.name}: {_same(copies, 'in two classes')}; one of the labels is wrong."


def _labelled_twice(roles: Roles, bytes_of: Bytes) -> Iterator[str]:
    for role in roles.of("unlabelled"):
        for labelled in roles.of("labelled"):
            copies = in_both(bytes_of[id(role)], bytes_of[id(labelled)])
            if copies and copies.count < len(role.listing.files):
                yield (
                    f"unlabelled: {_are(copies)} among the labelled ones too, and used as labelled."
                )


def _compared(roles: Roles) -> Iterator[tuple[Role, Role]]:
    for one, other in COMPARED:
        for first in roles.of(one):
            for second in roles.of(other):
                yield first, second


def _label_of(role: Role) -> dict[Path, int]:
    return {role.listing.root / file.path: file.label for file in role.listing.files}


def _used(role: Role, bytes_of: Bytes) -> Contents:
    """Contents of the classes in use."""
    whole, names = bytes_of[id(role)], role.listing.classes
    if len(role.used) == len(names):
        return whole
    keep = [i for i, label in enumerate(whole.labels) if names[label] in role.used]
    return Contents(
        root=whole.root,
        paths=tuple(whole.paths[i] for i in keep),
        labels=tuple(whole.labels[i] for i in keep),
        digests=tuple(whole.digests[i] for i in keep),
    )


def _used_files(role: Role) -> Listing:
    """Listing of the classes in use."""
    listing, used = role.listing, set(role.used)
    if len(used) == len(listing.classes):
        return listing
    files = tuple(file for file in listing.files if listing.classes[file.label] in used)
    return replace(listing, files=files) if files else listing


def _looks(copies: Copies, role: Role) -> str:
    """Number of files that look alike, in words."""
    verb = "looks" if copies.count == 1 else "look"
    return f"{counted(copies.count, singular(role.media))} {verb}"


def _why(role: Role) -> str:
    """Why copies of a role's files elsewhere are a problem."""
    if role.kind == "test":
        return "if they are copies, the accuracy is too good"
    return "if they are copies, they teach nothing new"


def _sampled(*roles: Role) -> str:
    whole = all(len(role.listing.files) <= SAMPLE for role in roles)
    return "" if whole else f" (among {SAMPLE} of each)"


def _same(copies: Copies, where: str) -> str:
    return f"{copies.count:,} {where} with the same bytes, as {_pair(copies)}"


def _are(copies: Copies) -> str:
    return f"{counted(copies.count, 'file')} {'is' if copies.count == 1 else 'are'}"


def _pair(copies: Copies) -> str:
    return f"{shortest(copies.first)} and {shortest(copies.second)}"
