"""The page's find field takes what `watch`'s and `events` take, and means the same by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from observatory.client.query import KNOWN
from observatory.feed.find import NEVER, Filter, read_filter
from observatory.feed.times import now as time_now

if TYPE_CHECKING:
    from tests.web.conftest import Page, Web

TEXTS = (
    "",
    "npm test",
    "  NPM   Test ",
    "tool=Bash tool=ed event=pre session=4F2a npm test",
    "user=mia host=web-1",
    "foo=bar =x tool= since= a=b=c",
    "tool=bsh",
    "event=pretolus tool=edt",
    "event=stopp",
    "event=sessionstrat",
    "tool=mcp__git",
    "tool=zzzzzzzz",
    "since=1h until=15m",
    "since=90s",
    "since=2w",
    "since=today until=yesterday",
    "since=TODAY",
    "since=2026-01-31",
    "since=2026-07-01T13:00",
    "since=2026-01-31T13:00Z",
    "since=2026-01-31T13:00:00.25+01:00",
    "since=2026-01-31t13:00:00.123456-05:30",
    "since=soon",
    "until=soon",
    "since=2026-02-31",
    "since=2026-13-01",
    "since=2026-01-31T25:00",
    "since=2026-01-31T13:61",
    "since=13:00",
    "since=1y",
    "since=-1h",
    "since=1h until=2h",
)
READ = """
const [texts, now, known, utc, done] = arguments;
import('/page/query.js').then(({ readQuery }) => done(texts.map((text) => {
  const query = readQuery(text, now, known, utc);
  const time = (value) => (value === null || Number.isFinite(value) ? value : String(value));
  return { ...query, since: time(query.since), until: time(query.until) };
})));
"""


def shown(found: Filter) -> dict[str, Any]:
    """A filter as the page has it."""
    never = {"since": "Infinity", "until": "-Infinity"}
    times = {name: getattr(found, name) for name in never}
    return {
        "wanted": {name: list(values) for name, values in found.wanted},
        "words": found.words,
        **{name: never[name] if time == NEVER[name] else time for name, time in times.items()},
    }


@pytest.mark.parametrize("utc", [False, True])
def test_it_is_one_language(web: Web, page: Page, utc: bool) -> None:
    page.zone("Asia/Tokyo" if utc else "")
    page.open(web.link)
    now = time_now(utc).replace(microsecond=0)
    read = page.chromium.execute_async_script(READ, list(TEXTS), round(now.timestamp() * 1000), KNOWN, utc)
    for text, there in zip(TEXTS, read, strict=True):
        trouble = there.pop("trouble")
        here = read_filter(text, now)
        assert there == shown(here), text
        assert bool(trouble) == (here.trouble is not None), (text, trouble, here.trouble)
        for name in (name for names in KNOWN.values() for name in names):
            assert (f"did you mean {name}?" in trouble) == (f"did you mean {name}?" in (here.trouble or "")), text
