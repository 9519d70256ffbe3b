"""The review page, on which a person checks and corrects an ensemble's labels."""
