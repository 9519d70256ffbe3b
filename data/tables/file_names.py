"""Names of the tables in artifacts."""

PSEUDO_LABELS = "pseudo_labels.parquet"
HELD_OUT = "held_out.parquet"
SPLIT = "split.parquet"
