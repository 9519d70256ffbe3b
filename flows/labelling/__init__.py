"""The ensemble of a finished run: its labels of U, and what held-out labels prove about them."""
