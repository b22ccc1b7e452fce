"""Whether a distribution has moved: shift, support, styles, openings, compression."""
