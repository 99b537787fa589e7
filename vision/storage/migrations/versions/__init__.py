"""One file per change, oldest first; a released one is never edited."""
