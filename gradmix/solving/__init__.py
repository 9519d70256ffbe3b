"""Layer weights from Gram matrices (Eq. 6 and 7): the solvers and what they share."""
