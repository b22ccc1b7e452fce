"""The composition world: voices set against a given melody, after Bach."""
