"""The parts of a record: plain data that a report is made from."""
