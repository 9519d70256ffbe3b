"""Labels with a stated precision: an ensemble's predictions, and what held-out labels prove."""
