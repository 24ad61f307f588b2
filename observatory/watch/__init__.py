"""Sessions and events in a terminal."""
