"""The pytest plugin: places, worlds, users and servers for other people's tests.

It does nothing until a project asks for it: `pytest_plugins = ["harness.pytest_plugin"]` in its topmost conftest.py.
"""

pytest_plugins = ("harness.pytest_plugin.plugin", "harness.pytest_plugin.fixtures")
