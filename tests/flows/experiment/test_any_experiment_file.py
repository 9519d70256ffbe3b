"""Whatever stands anywhere in an experiment file, it is taken or refused in exact lines."""

import json
import re

from hypothesis import given
from hypothesis import strategies as st

from flows.experiment.experiment_file import load_experiment
from flows.experiment.toml_file import SettingsError

ONE_LINE = re.compile(r"own\.toml(:[0-9]+)?: [^ ].*: expected .+, found .+; .+[.?]")


def toml(value):
    """A value as inline TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(toml, value))}]"
    return json.dumps(value) if isinstance(value, (str, bool)) else str(value)


def leaves(value, path=()):
    """Paths of everything in tables and arrays."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        yield (*path, key)
        if isinstance(item, (dict, tuple)):
            yield from leaves(item, (*path, key))


VALUES = load_experiment("digits", "paper").model_dump(exclude={"scale"}, exclude_none=True)
ANY_VALUE = st.recursive(
    st.one_of(
        st.integers(-(2**70), 2**70),
        st.floats(),
        st.booleans(),
        st.text("ab1.[{'\"\n\u2028 ", max_size=5),
        st.just("V"),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.text("ab1. ", max_size=3), inner, max_size=2),
    ),
    max_leaves=4,
)


def changed(value, path, new):
    """The value with another one at a path; None takes the key or the item away."""
    key, *rest = path
    copy = dict(value) if isinstance(value, dict) else dict(enumerate(value))
    if not rest and new is None:
        del copy[key]
    else:
        copy[key] = changed(copy[key], rest, new) if rest else new
    return copy if isinstance(value, dict) else tuple(copy.values())


@given(st.sampled_from(list(leaves(VALUES))), st.one_of(st.none(), ANY_VALUE))
def test_whatever_is_written_anywhere_is_taken_or_refused_in_exact_lines(
    tmp_path_factory, path, value
):
    values = changed(VALUES, path, value)
    folder = tmp_path_factory.mktemp("own", numbered=True)
    text = "".join(f"{key} = {toml(item)}\n" for key, item in values.items())
    (folder / "own.toml").write_text(f"{text}[scales.paper]\n", encoding="utf-8")
    try:
        load_experiment(str(folder / "own.toml"), "paper")
    except SettingsError as error:
        lines = [line.removeprefix(f"{folder}/") for line in error.lines]
        assert len(set(lines)) == len(lines) > 0
        for line in lines:
            assert ONE_LINE.fullmatch(line)
            assert "nput" not in line
            assert "another value" not in line
