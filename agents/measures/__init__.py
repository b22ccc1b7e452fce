"""Measures that need an agent: likelihoods, Move-37 moments, decision quality, influence."""
