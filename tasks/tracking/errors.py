"""Which errors of a tracking store no retry changes."""

from tasks.tracking.mlflow_store import TrackingError

STATUSES = (400, 404, 409, 413)
"""Answers of a server; a wrong login is not among them, because it can be repaired."""

NEVER_BETTER = (TrackingError, FileNotFoundError, TypeError, KeyError, AttributeError)


def is_refusal(error: Exception) -> bool:
    """Whether the store refused, rather than could not be reached."""
    status = getattr(error, "get_http_status_code", lambda: 0)()
    return status in STATUSES or isinstance(error, NEVER_BETTER)
