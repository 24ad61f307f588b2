"""The hooks of the Claude Code plugin. `python -m observatory.hooks.plugin` prints its hooks/hooks.json."""

from __future__ import annotations

import json

from observatory.hooks.command import Recipient
from observatory.hooks.event_names import OLDEST_FOR_PLUGIN, listened
from observatory.hooks.settings import handlers


def hooks_json() -> str:
    """The plugin's hooks. A plugin is the same for everyone, so the environment says where the socket is."""
    hooks = handlers(listened(OLDEST_FOR_PLUGIN), Recipient(None))
    groups = {event: [{"hooks": [handler]}] for event, handler in hooks.items()}
    return json.dumps({"hooks": groups}, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    print(hooks_json(), end="")
