"""Parquet tables and what is stored in them: splits, pseudo-labels, enlarged V."""
