"""What runs in a process of its own: one job a file, and what jobs share."""
