"""Makers: one file for each kind of agent that makes works, and the registry of them."""
