"""Scenes the repository renders itself, and the demo models trained on them."""
