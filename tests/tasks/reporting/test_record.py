"""Records on disk: of this version as they were written, of version 0.1 as they are committed."""

import json
from pathlib import Path
from typing import Any

import pytest

from tasks.codec import CodecError, encode
from tasks.reporting.record import FORMAT, Record, decode_record, read_record, record_text

RESULTS = Path(__file__).parents[3] / "docs" / "results"
COMMITTED = sorted(RESULTS.glob("*/record.json"))


@pytest.fixture
def typed_record(record: dict[str, Any]) -> Record:
    return decode_record(record)


def test_a_record_is_read_as_it_was_written(typed_record: Record, tmp_path: Path) -> None:
    (tmp_path / "record.json").write_text(record_text(typed_record))
    assert read_record(tmp_path / "record.json") == typed_record


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.parent.name)
def test_a_committed_record_of_format_1_keeps_every_figure(path: Path) -> None:
    old = json.loads(path.read_text())
    assert old["format"] == 1
    found = encode(read_record(path))
    assert found["format"] == FORMAT
    assert found["settings"] == old["settings"]
    for kind in ("rows", "cells", "pseudo_labels", "ensembles", "curves", "data"):
        assert len(found[kind]) == len(old[kind])
        for now, before in zip(found[kind], old[kind], strict=True):
            assert {name: now[name] for name in before} == before
    assert {name: found["studies"][name] for name in old["studies"]} == old["studies"]
    assert found["paper"] == old["paper"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": "red"}, "found the unknown 'colour'"),
        ({"format": 4}, "expected a record of format 1 to 3, found format 4"),
        ({"rows": [{}]}, r"record\.rows\[0\]: expected the key .* found none"),
        ({"seed": "7"}, r"record\.seed: expected a value of type int, found '7'"),
    ],
)
def test_another_record_is_refused_in_one_line(
    typed_record: Record, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(CodecError, match=message) as raised:
        decode_record(encode(typed_record) | change)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("key", ["note", "studies", "paper_clips", "rows"])
def test_a_record_of_this_format_has_every_key(typed_record: Record, key: str) -> None:
    content = encode(typed_record)
    del content[key]
    with pytest.raises(CodecError, match=f"expected the key '{key}', found none"):
        decode_record(content)


def test_what_is_no_record_is_refused(tmp_path: Path) -> None:
    for text in ("{", "[]", "{}"):
        (tmp_path / "record.json").write_text(text)
        with pytest.raises(CodecError, match="expected a record"):
            read_record(tmp_path / "record.json")
