"""The rules of form of a drawing, and how much of it is copied."""
