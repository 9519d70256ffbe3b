"""Stored tables and arrays: prepared sets, splits, pseudo-labels, enlarged V."""
