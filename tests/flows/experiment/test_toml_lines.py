"""Line numbers of keys, against texts whose layout is known and against tomllib."""

import json
import tomllib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flows.experiment.toml_lines import line_numbers, line_of

NOISE = ["", "   ", "# [not.a.table]", "# key = [ { \"'", "\t# '''"]
BARE = st.text("abcXYZ019_-", min_size=1, max_size=4)
QUOTED = st.text(" .=[]{}#'\\\"é\n", min_size=1, max_size=4).map(json.dumps)
LITERAL = st.text(' .=[]{}#"\\', min_size=1, max_size=4).map(lambda text: f"'{text}'")
VALUES = st.sampled_from(
    [
        "1",
        "-0.5e3",
        "true",
        "1979-05-27 07:32:00",
        '"a # b = [c"',
        r'"\"] = 1"',
        "'C:\\'",
        '"""\nx = 1\n[y]\n\\""" # z\n"""',
        '"""two quotes at the end"""""',
        "'''\n[[z]]\n''' # ]",
        "''''one at each end''''",
        "[ # a = [\n  1,\n  2, # ]\n]",
        '[\n"]",\n[ "[" ]\n]',
        "{ a = { b = '}' }, \"c=\" = [ 1,\n 2 ] } # {",
        "[\n  { a = 1 },\n\n  { a = 2 },\n]",
    ]
)


def name_of(part):
    return next(iter(tomllib.loads(f"{part} = 0")))


PARTS = st.one_of(BARE, QUOTED, LITERAL)
TABLE_NAMES = st.lists(PARTS, max_size=4, unique_by=name_of)
ASSIGNMENTS = st.lists(
    st.tuples(st.lists(PARTS, min_size=1, max_size=3), VALUES, st.sampled_from(["=", " =  "])),
    max_size=4,
    unique_by=lambda item: name_of(item[0][0]),
)


@st.composite
def documents(draw):
    """A TOML text and the line of every header and assignment in it."""
    lines, expected = [], {}

    def put(text):
        lines.extend(draw(st.lists(st.sampled_from(NOISE), max_size=2)))
        number = len(lines) + 1
        lines.extend(text.split("\n"))
        return number

    def assign(table):
        for parts, value, equals in draw(ASSIGNMENTS):
            key = (*table, *map(name_of, parts))
            expected[key] = put(f"  {' . '.join(parts)}{equals}{value}")

    for name in draw(TABLE_NAMES):
        # No key has an @: tables never meet a key of the same name.
        key = (f"@{name_of(name)}",)
        head = json.dumps(key[0])
        for item in range(draw(st.integers(0, 2))):
            expected[(*key, item)] = put(f"[[ {head} ]] # ]]")
            assign((*key, item))
            expected[(*key, item, "@sub")] = put(f'[{head}."@sub"]')
            assign((*key, item, "@sub"))
        if (*key, 0) not in expected:
            expected[key] = put(f" [ {head} ]")
            assign(key)
    return "\n".join(lines), expected


def value_at(document, key):
    for part in key:
        document = document[part]
    return document


@given(documents())
def test_every_header_and_assignment_has_its_line_and_nothing_else_has_one(made):
    text, expected = made
    document, found = tomllib.loads(text), line_numbers(text)
    assert {key: found.get(key) for key in expected} == expected
    for key in found:
        value_at(document, key)
    starts = {key[:end] for key in expected for end in range(1, len(key) + 1)}
    assert set(found) == starts


@example("[#]")
@given(st.text("[]{}=\"'#\n\\ a.,1"))
def test_text_that_is_not_toml_does_not_break_the_search(text):
    assert all(1 <= line <= text.count("\n") + 1 for line in line_numbers(text).values())


def test_windows_line_ends_count_once():
    assert line_numbers("a = 1\r\n\r\n[t]\r\nb = 2\r\n") == {("a",): 1, ("t",): 3, ("t", "b"): 4}


def test_separators_inside_a_string_are_not_line_ends():
    assert line_numbers('a = "\u2028\x85"\nb = 1')["b",] == 2


@pytest.mark.parametrize(
    ("key", "line"),
    [
        (("t", "k", 1), 3),
        (("t", "inline", "a", 0), 7),
        (("t", "absent"), 2),
        (("list", 1, "name"), 11),
        (("list", 1, "absent"), 10),
        (("list", 0, "name"), 8),
        (("deep",), 12),
        (("deep", "er"), 12),
        (("deep", "er", "est", "x"), 12),
        (("absent",), None),
        ((), None),
    ],
)
def test_a_key_without_a_line_gets_the_line_around_it(key, line):
    text = (
        "\n[t]\nk = [\n  1,\n  2,\n]\ninline = { a = [1] }\n"
        '[[list]]\nother = 1\n[[list]]\nname = "x"\n[deep.er.est]\n'
    )
    assert line_of(line_numbers(text), key) == line


def test_a_table_opened_after_its_child_stands_at_its_own_header():
    assert line_numbers("[a.b]\n[a]\n") == {("a", "b"): 1, ("a",): 2}


def test_arrays_of_tables_nest():
    text = "[[a]]\n[[a.b]]\n[[a.b]]\n[[a]]\n[[a.b]]\nx = 1\n"
    lines = line_numbers(text)
    assert lines["a", 0, "b", 1] == 3
    assert lines["a", 1, "b", 0, "x"] == 6
