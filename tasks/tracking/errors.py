"""Errors of a tracking store for which a retry is useless."""

from tasks.tracking.mlflow_store import TrackingError

STATUSES = (400, 404, 409, 413)
"""Status codes of a server; not that of a wrong login, which can be corrected."""

NEVER_BETTER = (TrackingError, FileNotFoundError, TypeError, KeyError, AttributeError)


def is_refusal(error: Exception) -> bool:
    """Whether the store rejected a request, rather than being unreachable."""
    status = getattr(error, "get_http_status_code", lambda: 0)()
    return status in STATUSES or isinstance(error, NEVER_BETTER)
