"""Rendering of reports: HTML, figures, CSV, text."""
