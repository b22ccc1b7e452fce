"""The drawing world: pen strokes on a board of 24 x 24 points."""
