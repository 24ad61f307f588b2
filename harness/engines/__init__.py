"""Engines: ways to make a place, each one small file; what they share is the agent."""
