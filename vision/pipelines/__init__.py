"""One image through its stages: pixels and networks in, results out. No database, no queue."""
