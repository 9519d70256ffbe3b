"""Corrections: round trip, atomic writes, and all problems at once."""

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.errors import DataError, ProblemsError
from data.readers.corrections import Correction, read_corrections, write_corrections


def one(path, decision="confirm", label="cat"):
    return Correction(path=path, decision=decision, label=label)


def read(folder, text):
    (folder / "corrections.csv").write_text(text, encoding="utf-8")
    return read_corrections(folder / "corrections.csv")


names = st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=9).filter(
    lambda text: text == text.strip() and "/" not in text and "\\" not in text and text not in "..."
)
labels = st.text("abcdefg, \"';|\t", min_size=1, max_size=9).filter(lambda s: s == s.strip())
decided = st.one_of(
    st.tuples(st.sampled_from(["confirm", "change"]), labels),
    st.just(("reject", "")),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(names, decided), st.booleans())
def test_what_is_written_is_read_back(tmp_path, given_rows, elsewhere):
    folder = tmp_path / "photos"
    table = (tmp_path / "out" if elsewhere else tmp_path) / "corrections.csv"
    table.parent.mkdir(exist_ok=True)
    written = [one(folder / name, *rest) for name, rest in given_rows.items()]
    write_corrections(written, table)
    found = read_corrections(table)
    assert {(x.path, x.decision, x.label) for x in found} == {
        (x.path, x.decision, x.label) for x in written
    }


def test_the_table_is_ordered_and_relative_where_files_are_below_it(tmp_path):
    table = tmp_path / "kitchen" / "corrections.csv"
    table.parent.mkdir()
    inside, outside = tmp_path / "kitchen" / "new" / "b.jpg", tmp_path / "a.jpg"
    write_corrections([one(inside, "change", "mug"), one(outside, "reject", "")], table)
    first = table.read_text()
    assert first == f"path,decision,label\n{outside},reject,\nnew/b.jpg,change,mug\n"
    write_corrections([one(outside, "reject", ""), one(inside, "change", "mug")], table)
    assert table.read_text() == first


def test_a_write_that_fails_leaves_the_table_as_it_was(tmp_path, monkeypatch):
    table = tmp_path / "corrections.csv"
    write_corrections([one(tmp_path / "a.jpg")], table)
    before = table.read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_corrections([one(tmp_path / "b.jpg")], table)
    assert table.read_bytes() == before
    assert os.listdir(tmp_path) == ["corrections.csv"]  # noqa: PTH208


def test_an_empty_table_has_no_corrections(tmp_path):
    assert read(tmp_path, "path,decision,label\n") == []


def test_other_columns_are_not_read_and_paths_start_at_the_table(tmp_path):
    found = read(tmp_path, "who,Label,Decision,path\nme,cat,Confirm,../x/a.jpg\n")
    assert found == [one(tmp_path.parent / "x" / "a.jpg")]


def test_every_problem_is_named_at_once_with_its_row(tmp_path):
    text = (
        "path,decision,label\n"
        "a.jpg,confirm,cat\n"
        "b.jpg,conform,cat\n"
        ",confirm,cat\n"
        "c.jpg,change,\n"
        "d.jpg,reject,cat\n"
        "a.jpg,reject,\n"
        "e.jpg,change,Cat\n"
    )
    with pytest.raises(ProblemsError) as caught:
        read(tmp_path, text)
    where = f"{tmp_path / 'corrections.csv'}, row"
    assert caught.value.problems == (
        f"{where} 3: expected confirm, change or reject, found 'conform': correct it.",
        f"{where} 4: expected the path of a file, found '': write it relative to the table.",
        f"{where} 5: expected a label for c.jpg, found none: name its class.",
        f"{where} 6: expected no label for d.jpg, which is rejected, found 'cat': remove it.",
        f"{where} 7: expected every file once, found {tmp_path / 'a.jpg'} again, as in row 2: "
        "keep one.",
        f"{where} 8: expected one spelling of a class, found 'cat' and 'Cat': correct one.",
    )


@pytest.mark.parametrize("text", ["", "path,label\na.jpg,cat\n", 'path,decision,label\na,"b\n'])
def test_a_table_that_is_none_is_one_line(tmp_path, text):
    with pytest.raises(DataError, match=r"corrections.csv") as caught:
        read(tmp_path, text)
    assert len(caught.value.lines) == 1


def test_a_missing_table_is_one_line(tmp_path):
    with pytest.raises(DataError, match=r"Expected a readable table at .*found none"):
        read_corrections(tmp_path / "corrections.csv")
