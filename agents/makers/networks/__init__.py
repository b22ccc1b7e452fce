"""The networks of makers that are too large to stand in the maker's own file."""
