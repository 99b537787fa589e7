"""Results as files other tools read. From frozen values to bytes: no database, no torch."""
