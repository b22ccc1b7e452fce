"""The composition world: a bass to the soprano of a Bach chorale, one move per eighth note."""
