"""The frame of an HTML page that needs nothing else: no network, no other file, no server.

The page's own content security policy admits no style and no script but those that are written into it, by hash.
"""

from __future__ import annotations

import base64
import hashlib
from html import escape
from importlib import resources
from typing import TYPE_CHECKING

from harness.report.text import visible

if TYPE_CHECKING:
    from collections.abc import Iterable


def document(title: str, style: str, body: Iterable[str], script: str = "") -> str:
    """The whole page. `title` is plain text, `body` lines of HTML; `script` runs when the body is there."""
    scripts = f"script-src '{_hash(script)}'; " if script else ""
    policy = f"default-src 'none'; style-src '{_hash(style)}'; {scripts}base-uri 'none'; form-action 'none'"
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>{escape(visible(title))}</title>",
            f"<style>{style}</style>",
            "</head>",
            "<body>",
            *body,
            *((f"<script>{script}</script>",) if script else ()),
            "</body>",
            "</html>",
            "",
        ]
    )


def asset(package: str, name: str) -> str:
    """A text file that lies in a package."""
    return resources.files(package).joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
