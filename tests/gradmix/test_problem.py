"""Label spaces, their relations, and the heads."""

import pytest

from gradmix.problem import TARGET_HEAD, LabelSpace, Problem

TARGET = LabelSpace(("5", "6", "7"))


@pytest.mark.parametrize(
    ("classes", "relation"),
    [
        (("5", "6", "7"), "equal"),
        (("7", "5", "6"), "equal"),
        (("5", "6"), "partial"),
        (("5", "6", "7", "8"), "partial"),
        (("7", "8", "9"), "partial"),
        (("0", "1"), "disjoint"),
    ],
)
def test_relation_to_the_target_looks_at_sets_of_classes(classes, relation) -> None:
    assert LabelSpace(classes).relation_to(TARGET) == relation


def test_a_problem_names_the_relation_of_every_source() -> None:
    problem = Problem({"svhn": TARGET, "mnist": LabelSpace(("0", "1"))}, TARGET)
    assert problem.relations == {"svhn": "equal", "mnist": "disjoint"}


def test_heads_are_shared_between_equal_label_spaces_only() -> None:
    problem = Problem(
        {
            "first": LabelSpace(("0", "1")),
            "same": LabelSpace(("7", "6", "5")),
            "again": LabelSpace(("1", "0")),
            "partly": LabelSpace(("5", "6")),
        },
        TARGET,
    )
    assert problem.head_of == {
        "first": "first",
        "same": TARGET_HEAD,
        "again": "first",
        "partly": "partly",
    }
    assert problem.heads == {
        TARGET_HEAD: TARGET,
        "first": LabelSpace(("0", "1")),
        "partly": LabelSpace(("5", "6")),
    }
    assert problem.heads[TARGET_HEAD].classes == ("5", "6", "7"), "the target's own order"


def test_a_problem_without_the_targets_label_space_is_refused() -> None:
    message = (
        r"expected a source with the target's label space \(5, 6, 7\), "
        r"found mnist \(disjoint\): 0, 1; svhn \(partial\): 5, 6; add one such source\."
    )
    with pytest.raises(ValueError, match=message):
        Problem({"mnist": LabelSpace(("0", "1")), "svhn": LabelSpace(("5", "6"))}, TARGET)


def test_a_problem_without_sources_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one source, found none"):
        Problem({}, TARGET)


@pytest.mark.parametrize("name", [TARGET_HEAD, "V", "mnist.v2", ""])
def test_a_source_name_that_means_something_else_is_refused(name) -> None:
    with pytest.raises(ValueError, match=f"found {name!r}"):
        Problem({"svhn": TARGET, name: LabelSpace(("0", "1"))}, TARGET)


def test_label_spaces_are_never_empty_and_name_a_class_once() -> None:
    with pytest.raises(ValueError, match="at least one class"):
        LabelSpace(())
    with pytest.raises(ValueError, match="must differ, found 1, 2, 1"):
        LabelSpace(("1", "2", "1"))
