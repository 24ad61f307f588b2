"""Telling a person that a session waits, has finished, has failed or has died, wherever that person looks."""
