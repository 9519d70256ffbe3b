"""Building blocks for domain alignment: adversaries, per-domain norms, energies."""
