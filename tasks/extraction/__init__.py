"""Extraction of frames in parallel processes, for a stage or a plain folder."""
