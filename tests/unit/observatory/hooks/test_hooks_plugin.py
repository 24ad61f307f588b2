"""The plugin is made from the same table of events, and the same command, as installed hooks."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import observatory
from observatory.hooks import event_names
from observatory.hooks.command import Recipient, hook_command
from observatory.hooks.plugin import hooks_json

ROOT = Path(__file__).parents[4]
PLUGIN = ROOT / "contrib" / "claude-plugin"


def test_the_committed_hooks_are_what_the_table_gives() -> None:
    committed = (PLUGIN / "hooks" / "hooks.json").read_text()
    assert committed == hooks_json(), "make it anew: python -m observatory.hooks.plugin > hooks/hooks.json"


def test_each_event_that_the_oldest_client_knows_has_one_hook() -> None:
    hooks = json.loads(hooks_json())["hooks"]
    assert set(event_names.ALL) - set(hooks) == {
        "WorktreeCreate",
        "PreModelSwitch",
        "PostModelSwitch",
        "DirectoryAdded",
        "PreSkillShellCommand",
    }
    for event, groups in hooks.items():
        assert [hook["command"] for group in groups for hook in group["hooks"]] == [
            hook_command(event, Recipient(None))
        ]


def test_the_manifest_names_this_version_and_this_licence() -> None:
    manifest = json.loads((PLUGIN / ".claude-plugin" / "plugin.json").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (manifest["version"], manifest["license"]) == (observatory.__version__, project["license"])


def test_the_marketplace_has_the_plugin_by_its_name_and_where_it_is() -> None:
    marketplace = json.loads((ROOT / ".claude-plugin" / "marketplace.json").read_text())
    manifest = json.loads((PLUGIN / ".claude-plugin" / "plugin.json").read_text())
    (listed,) = marketplace["plugins"]
    assert listed["name"] == manifest["name"]
    assert (ROOT / listed["source"]).resolve() == PLUGIN


def test_the_skill_begins_with_its_name_and_says_when_to_take_it() -> None:
    (skill,) = (PLUGIN / "skills").iterdir()
    _, head, body = (skill / "SKILL.md").read_text().split("---\n", 2)
    fields = dict(line.split(": ", 1) for line in head.splitlines())
    assert set(fields) == {"name", "description"}
    assert fields["name"] == skill.name
    assert len(fields["description"]) < 1024
    assert "`harness explain PATH`" in body
