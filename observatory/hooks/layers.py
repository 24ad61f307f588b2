"""The client's layers of settings, and which hooks run by all of them together.

Source: Claude Code's documentation of settings and hooks, and what the client does. The nearest layer decides about a
value: managed, then the command line (which nobody but the session sees), local, project, user. Hooks add up, and the
client runs one command once, however many layers have it.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from observatory.hooks.files import read_installed, settings_path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MANAGED_DIRECTORY: Path = Path(
    "/Library/Application Support/ClaudeCode" if sys.platform == "darwin" else "/etc/claude-code"
)
"""Where an administrator's settings are."""
PLUGIN: Final = "observatory@"
"""What the name of the plugin begins with; the rest is the marketplace's."""
MANAGED: Final = "managed"


@dataclass(frozen=True, slots=True)
class Layer:
    """One settings file that is there: observatory's hooks in it by event, and all of its members."""

    name: str
    path: Path
    hooks: Mapping[str, list[object]]
    members: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Running:
    """What runs: observatory's hooks in `layers`, and its plugin if the layer `plugin` enables it."""

    layers: tuple[Layer, ...]
    plugin: Layer | None
    silences: tuple[str, ...]
    """For each setting that keeps hooks from running: which file has it, and what to do."""
    environment: Mapping[str, str]
    """What the layers put into the environment of a hook."""


def layers(user: Path, project: Path | None) -> tuple[Layer, ...]:
    """The settings files that are there, the nearest first. The two are `.claude` directories.

    Raises ObservatoryError for a file that can't be read.
    """
    managed = [
        MANAGED_DIRECTORY / "managed-settings.json",
        *sorted((MANAGED_DIRECTORY / "managed-settings.d").glob("*.json")),
    ]
    places = [(MANAGED, path) for path in reversed(managed)]
    if project is not None and project != user:
        places += [("local", settings_path(project, "settings.local.json")), ("project", settings_path(project))]
    places.append(("user", settings_path(user)))
    found: list[Layer] = []
    for name, path in places:
        if path.exists():
            read = read_installed(path)
            found.append(Layer(name, path, read.hooks, read.members))
    return tuple(found)


def running(found: Sequence[Layer]) -> Running:
    """Which hooks run by these layers, the nearest first."""
    managed = [layer for layer in found if layer.name == MANAGED]
    hooks, plugin, silences = list(found), _plugin(found), list[str]()
    off = next((layer for layer in found if "disableAllHooks" in layer.members), None)
    if off is not None and off.members["disableAllHooks"] is True:
        kept = "" if off in managed or not managed else " but those of managed settings"
        silences.append(f"{off.path} has disableAllHooks: no hook runs{kept}; take that out")
        hooks, plugin = ([] if off in managed else managed), None
    only = next((layer for layer in managed if "allowManagedHooksOnly" in layer.members), None)
    if only is not None and only.members["allowManagedHooksOnly"] is True:
        silences.append(
            f"{only.path} has allowManagedHooksOnly: only hooks of managed settings run; install them there"
        )
        hooks = [layer for layer in hooks if layer in managed]
        plugin = plugin if plugin in managed else None
    strict = next((layer for layer in managed if "strictPluginOnlyCustomization" in layer.members), None)
    if strict is not None and _covers_hooks(strict.members["strictPluginOnlyCustomization"]):
        silences.append(
            f"{strict.path} has strictPluginOnlyCustomization: only hooks of plugins and of managed settings run; "
            f"use the plugin"
        )
        hooks = [layer for layer in hooks if layer in managed]
    environment: dict[str, str] = {}
    for layer in reversed(found):
        given = layer.members.get("env")
        if isinstance(given, dict):
            environment.update({name: value for name, value in given.items() if isinstance(value, str)})
    return Running(tuple(layer for layer in hooks if layer.hooks), plugin, tuple(silences), environment)


def _plugin(found: Sequence[Layer]) -> Layer | None:
    """The layer that enables the plugin: of each name the nearest decides."""
    decided: dict[str, Layer | None] = {}
    for layer in found:
        plugins = layer.members.get("enabledPlugins")
        for name, on in plugins.items() if isinstance(plugins, dict) else ():
            if name.startswith(PLUGIN):
                decided.setdefault(name, layer if on else None)
    return next((layer for layer in decided.values() if layer is not None), None)


def _covers_hooks(value: object) -> bool:
    return value is True or (isinstance(value, list) and "hooks" in value)
