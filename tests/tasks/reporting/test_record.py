"""Records on disk: of this version as they were written, of earlier ones as they are committed."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tasks.codec import CodecError, encode
from tasks.reporting.record import FORMAT, Record, decode_record, read_record, record_text
from tasks.reporting.records.rows import ChampionRecord

RESULTS = Path(__file__).parents[3] / "docs" / "results"
COMMITTED = sorted(RESULTS.glob("*/record.json"))


@pytest.fixture
def typed_record(record: dict[str, Any]) -> Record:
    return decode_record(record)


def test_a_record_is_read_as_it_was_written(typed_record: Record, tmp_path: Path) -> None:
    (tmp_path / "record.json").write_text(record_text(typed_record))
    assert read_record(tmp_path / "record.json") == typed_record


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.parent.name)
def test_a_committed_record_keeps_every_figure_whatever_its_format(path: Path) -> None:
    old = json.loads(path.read_text())
    assert old["format"] <= FORMAT
    found = encode(read_record(path))
    assert found["format"] == FORMAT
    assert found["settings"] == old["settings"]
    for kind in ("rows", "cells", "pseudo_labels", "ensembles", "curves", "data"):
        assert len(found[kind]) == len(old[kind])
        for now, before in zip(found[kind], old[kind], strict=True):
            assert {name: now[name] for name in before} == before
    assert {name: found["studies"][name] for name in old["studies"]} == old["studies"]
    assert found["paper"] == old["paper"]


@pytest.mark.parametrize("of_clips", [True, False])
def test_frames_that_an_earlier_record_counted_as_labels_are_forgotten(
    record: dict[str, Any],
    of_clips: bool,
) -> None:
    champion = ChampionRecord(
        row="GradMix", k=3, draw=0, accuracy=0.8, n=120, compared=2,
        folder="model", registered="m", identity="1",
    )  # fmt: skip
    now = encode(replace(decode_record(record), champion=champion))
    rows = [{**row, "held_out": 120} for row in now["rows"]]
    data = [{**entry, "clips": 12 if of_clips else None} for entry in now["data"]]
    found = decode_record({**now, "format": 3, "rows": rows, "data": data})
    assert {row.held_out for row in found.rows} == {None if of_clips else 120}
    assert found.champion is not None
    assert found.champion.n == (None if of_clips else 120)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": "red"}, "found the unknown 'colour'"),
        ({"format": 5}, "expected a record of format 1 to 4, found format 5"),
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
