"""Solvers for layer weights from Gram matrices (Eq. 6 and 7)."""
