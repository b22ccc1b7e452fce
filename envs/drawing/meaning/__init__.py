"""What drawings mean: recognisers that name them, strokes that matter, and unlikeness."""
