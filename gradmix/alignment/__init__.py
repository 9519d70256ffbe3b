"""Parts of methods that align domains: adversaries, norms for each domain, energies."""
