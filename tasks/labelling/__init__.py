"""Labels with a stated precision: what an ensemble says, and what held-out labels prove of it."""
