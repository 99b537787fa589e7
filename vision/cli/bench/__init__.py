"""`vision bench`: every speed is a ratio, measured in one run against its reference."""
