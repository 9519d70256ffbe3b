"""Records of tests are JSON of format 1, short and easy to change; reports read typed ones."""

from typing import Any

from tasks.reporting.record import decode_record


def typed(value: Any) -> Any:
    """A record in place of its JSON; anything else as it is."""
    return decode_record(value) if isinstance(value, dict) and "format" in value else value
