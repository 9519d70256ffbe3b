"""What held-out labels show, in the report."""

from dataclasses import replace

from tasks.codec import encode
from tasks.reporting.record import decode_record
from tasks.reporting.records.labels import ShownPrecision
from tasks.reporting.sections.pseudo_labels import pseudo_label_section

SHOWN = ShownPrecision(
    confidence=0.95,
    held_out=1000,
    agreed=790,
    right=780,
    bound=0.97861,
    precision=0.97,
    from_confidence=0.71234,
    labelled=1812,
)


def with_shown(record, shown):
    first, *others = record.pseudo_labels
    return replace(record, pseudo_labels=(replace(first, shown=shown), *others))


def test_both_bounds_are_in_the_report(record):
    text = pseudo_label_section(with_shown(decode_record(record), SHOWN))
    assert "### Shown by held-out labels" in text
    assert "with 95.00 % confidence" in text
    line = next(line for line in text.splitlines() if "0.712" in line)
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[2:] == ["1,000", "790", "780", "97.86", "97.00", "0.712", "1,812"]


def test_what_is_not_shown_is_said(record):
    none = replace(SHOWN, from_confidence=None, labelled=0)
    assert "not shown" in pseudo_label_section(with_shown(decode_record(record), none))


def test_a_report_without_a_precision_has_no_such_part(record):
    assert "Shown by" not in pseudo_label_section(decode_record(record))


def test_a_record_of_before_is_read(record):
    content = encode(decode_record(record))
    content["format"] = 2
    for entry in content["pseudo_labels"]:
        del entry["shown"]
    assert decode_record(content) == decode_record(record)
