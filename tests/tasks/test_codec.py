"""The codec: what is written is read again, and nothing else is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typing_extensions import TypeVar

from tasks.codec import CodecError, decode, encode, leaves, replace_leaves
from tasks.storage.artifacts import Artifact

A = TypeVar("A", default=Artifact)
HOME = Path("/srv/runs")


@dataclass(frozen=True, kw_only=True)
class Leaf:
    name: str
    path: Path


@dataclass(frozen=True, kw_only=True)
class Tree(Generic[A]):
    flag: bool
    count: int
    share: float
    kind: Literal["hard", "soft"]
    leaf: Leaf
    leaves: tuple[Leaf, ...]
    pair: tuple[int, str]
    named: Mapping[str, Leaf]
    numbered: Mapping[int, float]
    free: Mapping[str, Any]
    maybe: Path | None
    rate: float | A
    data: A | None = None


artifacts = st.builds(
    Artifact,
    label=st.text(),
    identity=st.text(),
    digest=st.text(),
    folder=st.text(),
    files=st.just({"a": {"bytes": 1}}),
    summary=st.dictionaries(st.text(), st.none() | st.integers() | st.lists(st.text())),
)
paths = st.sampled_from(["/srv/runs", "/srv/runs/a/b", "/srv/runs-2/a", "/data", "a"]).map(Path)
leaf = st.builds(Leaf, name=st.text(), path=paths)
reals = st.floats(allow_nan=False)
trees = st.builds(
    Tree,
    flag=st.booleans(),
    count=st.integers(),
    share=reals | st.integers(),
    kind=st.sampled_from(["hard", "soft"]),
    leaf=leaf,
    leaves=st.lists(leaf, max_size=3).map(tuple),
    pair=st.tuples(st.integers(), st.text()),
    named=st.dictionaries(st.text(), leaf, max_size=3),
    numbered=st.dictionaries(st.integers(), reals, max_size=3),
    free=st.dictionaries(st.text(), st.none() | st.text() | st.lists(st.integers())),
    maybe=st.none() | paths,
    rate=reals | artifacts,
    data=st.none() | artifacts,
)


def tree(**changes: Any) -> Tree:
    one = Leaf(name="a", path=HOME / "x")
    whole = {
        "flag": True,
        "count": 1,
        "share": 0.5,
        "kind": "hard",
        "leaf": one,
        "leaves": (one,),
        "pair": (1, "x"),
        "named": {"b": one},
        "numbered": {2: 0.25},
        "free": {},
        "maybe": None,
        "rate": 0.1,
    }
    return Tree(**(whole | changes))


@settings(max_examples=50)
@given(trees)
def test_what_is_written_is_read_again(value: Tree) -> None:
    assert decode(Tree, encode(value)) == value
    assert decode(Tree, encode(value, home=HOME), home=HOME) == value


def test_paths_under_the_home_follow_it_and_no_other(tmp_path: Path) -> None:
    value = tree(maybe=Path("/srv/runs-2/a"))
    found = decode(Tree, encode(value, home=HOME), home=tmp_path)
    assert found.leaf.path == tmp_path / "x"
    assert found.maybe == Path("/srv/runs-2/a")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"extra": 1}, "tree: expected the 13 keys of Tree, found the unknown 'extra'"),
        ({"flag": 1}, r"tree\.flag: expected a value of type bool, found 1"),
        ({"count": True}, r"tree\.count: expected a value of type int, found True"),
        ({"count": 1.0}, r"tree\.count: expected a value of type int, found 1\.0"),
        ({"share": "x"}, r"tree\.share: expected a value of type float, found 'x'"),
        ({"kind": "none"}, r"tree\.kind: expected one of \['hard', 'soft'\], found 'none'"),
        ({"leaf": []}, r"tree\.leaf: expected the keys of Leaf, found \[\]"),
        ({"leaves": [{"name": "a"}]}, r"tree\.leaves\[0\]: expected the key 'path', found none"),
        ({"pair": [1]}, r"tree\.pair: expected 2 values, found \[1\]"),
        ({"named": {"b": 1}}, r"tree\.named\.b: expected the keys of Leaf, found 1"),
        ({"maybe": 1}, r"tree\.maybe: expected a path, found 1"),
        ({"leaf": {"name": "a\nb", "path": 2}}, r"tree\.leaf\.path: expected a path, found 2"),
    ],
)
def test_what_does_not_fit_costs_one_line_that_says_where(
    change: dict[str, Any], message: str
) -> None:
    with pytest.raises(CodecError, match=message) as raised:
        decode(Tree, encode(tree()) | change, name="tree")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("key", list(encode(tree())))
def test_every_key_is_needed_also_one_with_a_default(key: str) -> None:
    content = encode(tree())
    del content[key]
    with pytest.raises(CodecError, match=f"expected the key '{key}', found none"):
        decode(Tree, content)


def test_a_whole_number_stays_one_where_a_real_one_is_expected() -> None:
    # Digests are taken of JSON, in which 1 and 1.0 differ.
    assert repr(decode(Tree, encode(tree(share=1))).share) == "1"


def test_what_json_cannot_hold_is_refused_unless_it_is_kept() -> None:
    thing = object()
    with pytest.raises(TypeError, match="found object"):
        encode(tree(free={"x": thing}))
    assert encode({"x": [thing]}, keep=(object,)) == {"x": [thing]}


@dataclass(frozen=True)
class Future:
    name: str
    used: tuple["Future", ...] = field(default=())


def test_leaves_are_found_and_replaced_at_any_depth() -> None:
    one, other = Future("one"), Future("other")
    value = {"a": tree(rate=one, data={"x": [other]}), "b": (one,)}
    assert leaves(value, Future) == [one, other, one]
    replaced = replace_leaves(value, Future, lambda future: future.name)
    assert replaced == {"a": tree(rate="one", data={"x": ["other"]}), "b": ("one",)}


def test_fields_without_a_type_variable_are_not_searched() -> None:
    # Plans of thousands of cells would spend most of their time there.
    value = tree(free={"x": Future("one")}, named={"y": Future("other")})
    assert leaves(value, Future) == []
    assert replace_leaves(value, Future, lambda future: future.name) is value


def test_what_has_no_leaf_is_not_copied() -> None:
    plain = tree(data=MappingProxyType({"x": [], "y": ()}))
    value = {"plain": plain, "leaf": Future("one"), "empty": [{}, ()], "kind": Tree, "none": None}
    replaced = replace_leaves(value, Future, lambda future: future.name)
    assert replaced == value | {"leaf": "one"}
    assert all(replaced[name] is value[name] for name in value if name != "leaf")
    assert leaves(plain, Future) == []


def test_a_mapping_of_any_kind_becomes_a_dictionary_where_it_has_a_leaf() -> None:
    value = MappingProxyType({"x": Future("one")})
    assert replace_leaves(value, Future, lambda future: future.name) == {"x": "one"}
