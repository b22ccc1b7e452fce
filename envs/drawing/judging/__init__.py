"""Judges, descriptor and reward of the drawing world."""
