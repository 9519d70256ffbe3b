"""The ensemble of a finished run: what it says of U, and what held-out labels prove of that."""
