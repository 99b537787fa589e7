"""How the demo models learn: bounded, seeded, resumable."""
