"""Files that are there whole or not at all."""

from data.atomic import replacing, sync, write_atomically

__all__ = ["replacing", "sync", "write_atomically"]
