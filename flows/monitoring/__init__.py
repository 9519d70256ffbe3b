"""Monitoring of a run: counts, status, events, memory."""
