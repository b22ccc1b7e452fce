"""Judges, descriptor and reward of the composition world."""
