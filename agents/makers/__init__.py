"""Makers: one file for each kind of agent that makes works; their base class and registry."""
