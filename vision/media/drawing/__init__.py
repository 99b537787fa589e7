"""Anti-aliased strokes, fills and labels; everything works in small crops of the picture."""
