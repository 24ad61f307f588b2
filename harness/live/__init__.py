"""The live machine, read and never changed, as a world. Standard library only, to run where nothing is installed."""
