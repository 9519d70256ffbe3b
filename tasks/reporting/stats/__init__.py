"""Statistics over draws: estimates, paired tests, grids."""
