"""Types for the problem: label spaces, their relation to the target's, and the heads."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Relation = Literal["equal", "partial", "disjoint"]

TARGET_HEAD = "target"

_TAKEN = frozenset({TARGET_HEAD, "V", ""})


@dataclass(frozen=True)
class LabelSpace:
    """An ordered set of class names.

    Raises:
        ValueError: if it is empty or has duplicate names.
    """

    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        """Check that there are classes and their names are distinct."""
        if not self.classes:
            raise ValueError("a label space needs at least one class, found none.")
        if len(set(self.classes)) != len(self.classes):
            raise ValueError(f"class names must differ, found {', '.join(self.classes)}.")

    def relation_to(self, target: "LabelSpace") -> Relation:
        """Relation to the target's label space (§3.1): `equal`, `partial` or `disjoint`."""
        own, wanted = set(self.classes), set(target.classes)
        if own == wanted:
            return "equal"
        return "partial" if own & wanted else "disjoint"


@dataclass(frozen=True)
class Problem:
    """Multi-source transfer across domains and tasks (§3.1): named sources and one target.

    The trunk is shared; the last layer is one head per label space. Sources with equal label spaces
    share a head, which is the target's if the label space is.

    Raises:
        ValueError: if there is no source, none has the target's label space, or a source's name is
            reserved or contains a dot.
    """

    sources: Mapping[str, LabelSpace]
    target: LabelSpace

    def __post_init__(self) -> None:
        """Check the names, and that some source has the target's label space."""
        if not self.sources:
            raise ValueError("expected at least one source, found none.")
        for name in self.sources:
            # Names become module names of heads, and metric names next to V's.
            if name in _TAKEN or "." in name:
                raise ValueError(
                    "a source's name must not be empty, target or V, or contain a dot, "
                    f"found {name!r}; rename the source."
                )
        if "equal" not in self.relations.values():
            found = "; ".join(
                f"{name} ({self.relations[name]}): {', '.join(space.classes)}"
                for name, space in self.sources.items()
            )
            raise ValueError(
                "expected a source with the target's label space "
                f"({', '.join(self.target.classes)}), found {found}; add one such source."
            )

    @property
    def relations(self) -> dict[str, Relation]:
        """Relation of each source to the target."""
        return {name: space.relation_to(self.target) for name, space in self.sources.items()}

    @property
    def head_of(self) -> dict[str, str]:
        """Name of the head each source trains; the target's is `TARGET_HEAD`."""
        first_with: dict[frozenset[str], str] = {frozenset(self.target.classes): TARGET_HEAD}
        return {
            name: first_with.setdefault(frozenset(space.classes), name)
            for name, space in self.sources.items()
        }

    @property
    def heads(self) -> dict[str, LabelSpace]:
        """Label space of each head; its logits are in the order of its classes."""
        plan = {TARGET_HEAD: self.target}
        for name, head in self.head_of.items():
            plan.setdefault(head, self.sources[name])
        return plan
