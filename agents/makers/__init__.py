"""Makers: a file for each kind of agent that makes works; their base class, registry and check."""
