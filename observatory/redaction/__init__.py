"""Secrets that are recognised by their form, taken out of an event before anybody has it."""
