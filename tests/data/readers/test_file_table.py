"""Tables of files: what is read, and every problem at once."""

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.errors import DataError, ProblemsError
from data.readers.file_table import Row, read_file_table

CAFE, APART = "caf\u00e9", "cafe\u0301"


@pytest.fixture
def photos(tmp_path):
    for name in ("a.jpg", "b.jpg", "deep/c.jpg", "d, e.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def rows(folder, content, name="t.csv", **settings):
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_file_table(folder / name, **{"labelled": True, **settings})[0]


def short(found):
    return [(row.number, row.path, row.label, row.group) for row in found]


TWO = [(2, "a.jpg", "cat", "a.jpg"), (3, "deep/c.jpg", "dog", "deep/c.jpg")]


@pytest.mark.parametrize(
    "content",
    [
        "path,label\na.jpg,cat\ndeep/c.jpg,dog\n",
        "path,label\r\na.jpg,cat\r\ndeep/c.jpg,dog",
        "\ufeffpath,label\na.jpg,cat\ndeep/c.jpg,dog\n",
        "path;label\na.jpg;cat\ndeep/c.jpg;dog\n",
        "path\tlabel\na.jpg\tcat\ndeep/c.jpg\tdog\n",
        "path|label\na.jpg|cat\ndeep/c.jpg|dog\n",
        ' Path , LABEL \n a.jpg , cat \n"deep/c.jpg", "dog"\n',
        "label,note,path\ncat,x,a.jpg\ndog,,deep/c.jpg\n",
        "path,label\n./a.jpg,cat\ndeep\\c.jpg,dog\n",
        "path,label\na.jpg,cat\ndeep/c.jpg,dog\n\n,\n  ,\n",
        "path,label\na.jpg,cat\ndeep/c.jpg,dog\n".encode("utf-16"),
    ],
)
def test_a_table_is_read_however_it_was_saved(photos, content):
    assert short(rows(photos, content)) == TWO


def test_rows_are_counted_as_a_spreadsheet_does(photos):
    content = 'path,label,note\n\na.jpg,cat,"two\nlines"\nb.jpg,dog,\n'
    assert [row.number for row in rows(photos, content)] == [3, 4]


def test_a_group_is_read_where_the_table_has_one(photos):
    found = rows(photos, "path,label,group\na.jpg,cat,g1\nb.jpg,cat,\n")
    assert short(found) == [(2, "a.jpg", "cat", "g1"), (3, "b.jpg", "cat", "b.jpg")]


def test_texts_stay_as_they_are(photos):
    content = 'path,label\na.jpg,007\nb.jpg,NA\n"d, e.jpg",1.50\n'
    assert [row.label for row in rows(photos, content)] == ["007", "NA", "1.50"]


def test_a_table_without_labels_is_a_list_of_files(photos):
    found = rows(photos, "path\na.jpg\ndeep/c.jpg\n", labelled=False)
    assert found[0] == Row(number=2, path="a.jpg", label="", group="a.jpg")
    assert [row.label for row in rows(photos, "path,label\na.jpg,cat\n", labelled=False)] == [""]


@pytest.mark.parametrize(
    "columns",
    [
        {"path": ["a.jpg", "deep/c.jpg"], "label": ["cat", "dog"]},
        {"label": pd.Categorical(["cat", "dog"]), "path": ["a.jpg", "deep/c.jpg"], "x": [1, 2]},
    ],
)
def test_parquet_is_read_too(photos, columns):
    pd.DataFrame(columns).to_parquet(photos / "t.parquet")
    found, missing = read_file_table(photos / "t.parquet", labelled=True)
    assert missing == 0
    assert [row[1:] for row in short(found)] == [row[1:] for row in TWO]
    assert [row.number for row in found] == [1, 2]


def test_labels_that_are_numbers_stay_whole_beside_empty_ones(photos):
    table = pa.table({"path": ["a.jpg", "b.jpg"], "label": pa.array([3, None], pa.int64())})
    pq.write_table(table, photos / "t.parquet")
    with pytest.raises(ProblemsError, match=r"row 2: expected a label for b.jpg, found none"):
        read_file_table(photos / "t.parquet", labelled=True)
    pq.write_table(table.slice(0, 1), photos / "t.parquet")
    assert read_file_table(photos / "t.parquet", labelled=True)[0][0].label == "3"


def test_columns_that_are_not_read_may_be_anything(photos):
    found = rows(photos, "path,x,x,label,\na.jpg,1,2,cat,\ndeep/c.jpg,,,dog,3\n")
    assert short(found) == TWO
    (photos / "t.parquet").unlink(missing_ok=True)
    columns = [pa.array(["a.jpg"]), pa.array([[1, 2]]), pa.array([b"\xff"]), pa.array(["cat"])]
    table = pa.Table.from_arrays(columns, ["path", "x", "x", "label"])
    pq.write_table(table, photos / "t.parquet")
    assert read_file_table(photos / "t.parquet", labelled=True)[0][0].label == "cat"


def test_a_column_that_is_there_twice_is_refused(photos):
    columns = [pa.array(["a.jpg"]), pa.array(["b.jpg"]), pa.array(["cat"])]
    table = pa.Table.from_arrays(columns, ["path", "path", "label"])
    pq.write_table(table, photos / "t.parquet")
    with pytest.raises(DataError, match="each once, found path, path, label"):
        read_file_table(photos / "t.parquet", labelled=True)


def test_bytes_that_are_no_text_are_refused(photos):
    table = pa.table({"path": ["a.jpg"], "label": pa.array([b"\xff\xfe"])})
    pq.write_table(table, photos / "t.parquet")
    with pytest.raises(DataError, match=r"Expected a parquet table of files .*cannot be read"):
        read_file_table(photos / "t.parquet", labelled=True)


def test_a_folder_name_adds_no_column_to_a_parquet_table(photos):
    folder = photos / "label=cat"
    folder.mkdir()
    (folder / "a.jpg").touch()
    pd.DataFrame({"path": ["a.jpg"]}).to_parquet(folder / "t.parquet")
    with pytest.raises(DataError, match="expected the columns path, label, each once, found path"):
        read_file_table(folder / "t.parquet", labelled=True)


def test_every_problem_is_named_at_once_with_its_row(photos):
    content = (
        "path,label\n"
        "a.jpg,cat\n"
        "gone.jpg,cat\n"
        "b.jpg,\n"
        ",dog\n"
        "a.jpg,dog\n"
        "../x.jpg,dog\n"
        "/etc/hosts,dog\n"
        "deep/c.jpg,Cat\n"
    )
    with pytest.raises(ProblemsError) as caught:
        rows(photos, content)
    where = f"{photos / 't.csv'}, row"
    assert caught.value.problems == (
        f"{where} 3: expected a file at {photos / 'gone.jpg'}, found none.",
        f"{where} 4: expected a label for b.jpg, found none.",
        f"{where} 5: expected a path, found none.",
        f"{where} 6: expected every file once, found a.jpg again, as in row 2.",
        f"{where} 7: expected a path below {photos}, found '../x.jpg': write it relative to the "
        "table.",
        f"{where} 8: expected a path below {photos}, found '/etc/hosts': write it relative to the "
        "table.",
        f"{where} 9: expected one spelling of a class, found 'cat' and 'Cat'.",
    )
    assert str(caught.value).splitlines() == list(caught.value.problems)


def test_more_problems_than_anybody_reads_are_counted(photos):
    content = "path,label\n" + "".join(f"{number}.jpg,cat\n" for number in range(1000))
    with pytest.raises(ProblemsError) as caught:
        rows(photos, content)
    assert len(caught.value.problems) == 1000
    *_, last = lines = str(caught.value).splitlines()
    assert len(lines) == ProblemsError.MOST + 1
    assert last == f"{photos / 't.csv'}: and 992 more; correct these first."
    assert caught.value.lines == lines


def test_missing_files_may_be_left_out_and_are_counted(photos):
    (photos / "t.csv").write_text("path,label\na.jpg,cat\ngone.jpg,cat\n")
    found, missing = read_file_table(photos / "t.csv", labelled=True, partial=True)
    assert (len(found), missing) == (1, 1)


def test_a_label_in_two_unicode_forms_is_one_class(photos):
    found = rows(photos, f"path,label\na.jpg,{CAFE}\nb.jpg,{APART}\n")
    assert {row.label for row in found} == {CAFE}


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("", "found none: name them"),
        ("\n\n", "found none: name them"),
        ("file,label\na.jpg,cat\n", "found file, label: name them"),
        ("path\na.jpg\n", "found path: name them"),
        ("path,label,label\na.jpg,cat,dog\n", "found path, label, label: name them"),
        ("a.jpg,cat\n", "found a.jpg, cat: name them"),
    ],
)
def test_a_table_without_its_columns_is_one_line(photos, content, found):
    with pytest.raises(DataError, match=rf"expected the columns path, label, each once, {found}"):
        rows(photos, content)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (
            b"path,label\na.jpg,caf\xe9\n",
            "row 2: expected text in UTF-8, .* save it as 'CSV UTF-8'",
        ),
        (b'path,label\na.jpg,"cat\n', "Expected a CSV table of files at .*cannot be read"),
        (b"path,label\nd, e.jpg,cat\n", "row 2: expected 2 fields, found more: put a field"),
        (b"path,label\n", "expected a row for each file, found none"),
        (b"path,label\na.jpg,cat" + b",x" * 10_000, "Expected a CSV table|expected 2 fields"),
        (b"path,label\na\0.jpg,cat\n", "expected a path below .*|expected a file at"),
        (b"path,label\n" + b"a" * 5000 + b".jpg,cat\n", "row 2: expected a file at"),
    ],
)
def test_a_damaged_table_is_one_line(photos, content, found):
    with pytest.raises(DataError, match=found):
        rows(photos, content)


@pytest.mark.parametrize("content", [None, b"", b"PAR1", b"PAR1" + bytes(99) + b"PAR1"])
def test_parquet_that_is_none_is_one_line(tmp_path, content):
    if content is not None:
        (tmp_path / "t.parquet").write_bytes(content)
    with pytest.raises(
        DataError, match=r"Expected a Parquet table of files at .*: create it again"
    ):
        read_file_table(tmp_path / "t.parquet", labelled=True)


def test_a_table_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(DataError, match=r"Expected a readable table at .*No such file"):
        read_file_table(tmp_path / "t.csv", labelled=True)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a.jpg", "b.jpg", "deep/c.jpg", "d, e.jpg"]),
            st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=9)
            .map(str.strip)
            .filter(bool),
        ),
        min_size=1,
        max_size=4,
        unique_by=(lambda row: row[0], lambda row: row[1].casefold()),
    ),
    st.sampled_from([",", ";", "\t", "|"]),
)
def test_what_pandas_writes_is_read_back(photos, given_rows, separator):
    table = pd.DataFrame(given_rows, columns=["path", "label"])
    table.to_csv(photos / "t.csv", index=False, sep=separator)
    found = read_file_table(photos / "t.csv", labelled=True)[0]
    assert [(row.path, row.label) for row in found] == given_rows
