"""What the report is rendered to: HTML, figures, CSV, text."""
