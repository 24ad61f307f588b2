"""The pytest plugin: places, worlds, users and servers for other people's tests."""
