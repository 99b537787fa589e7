"""Networks that `vision bench models` measures: seeded weights, and upstream's bare loop."""
