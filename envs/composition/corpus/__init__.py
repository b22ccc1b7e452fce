"""Human works of the composition world: reading chorales, tunes, and variations of them."""
