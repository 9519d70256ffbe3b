"""Parts of a record: plain data from which reports are made."""
