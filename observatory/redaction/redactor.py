"""Taking secrets out of what a client has said, before it is kept, printed or handed on.

Instead of a secret stands a mark, which says of what kind it was and how long, and nothing of the secret itself.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from observatory.reading import reader
from observatory.redaction.keywords import BLOCK, Keywords
from observatory.redaction.rules import ESCAPES, FORMS, NAME

if TYPE_CHECKING:
    from collections.abc import Sequence

    from observatory.redaction.own_rules import OwnRule

MOST_PLACES: Final = 20_000
"""Places in one event at which a secret is looked for. What comes after them is taken out as a whole."""
SHORTEST: Final = 4
"""Bytes from which on the value of a field that is named like a secret is one."""
_MARK: Final = re.compile(r"\[redacted: [\w.-]+, \d+ characters\]")

_NO_LETTERS: Final = bytes(sign for sign in range(256) if not chr(sign).isascii() or not chr(sign).isalnum())
_decode = reader(object)
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode


class Redactor:
    """Takes out what has one of the known forms, and what the rules of one's own say."""

    def __init__(self, own: Sequence[OwnRule] = ()) -> None:
        self._forms = [(form, form.before) for form in FORMS for _ in form.keywords]
        words = [word for form in FORMS for word in form.keywords]
        self._words = Keywords(words)
        self._words_or_escapes = Keywords([*words, *ESCAPES])
        self._own = tuple(own)
        self._always = any(not rule.keywords for rule in own)
        own_words = sorted({word for rule in own for word in rule.keywords})
        self._own_words = Keywords(own_words) if own_words else None

    def inside(self, inside: bytes | memoryview) -> bytes | None:
        """The inside of a JSON object, without its opening brace, in which no text has a secret; `None` if none has.

        Fields without one stay as they are, byte for byte.
        """
        if not self._is_suspect(inside):
            return None
        walk = _Walk(self)
        fields: dict[str, object] = {}
        for name, raw in _decode_fields(b"{" + inside).items():
            before = walk.found
            value: object = raw
            if self._is_suspect(memoryview(raw)) or NAME.fullmatch(name):
                value = walk.value(_decode(raw), name)
            fields[walk.text(name)] = raw if walk.found == before else value
        return _encode(fields)[1:] if walk.found else None

    def text(self, text: str) -> str:
        """A text without the secrets in it."""
        return _Walk(self).text(text)

    def _is_suspect(self, data: bytes | memoryview) -> bool:
        words = self._words_or_escapes
        # Most events are short, and each has this asked of it: one call less.
        if (words.find(memoryview(data)) if len(data) <= BLOCK else words.stand_in(data)) or self._always:
            return True
        return self._own_words is not None and (
            self._own_words.stand_in(bytes(data).lower()) or any(escape in bytes(data) for escape in ESCAPES)
        )

    def secrets(self, data: bytes, left: int) -> tuple[list[tuple[int, int, str]], int]:
        """Where secrets of known forms are in a text: the beginning, the end and the kind of each; and at how many
        places one was looked for. After `left` places the rest of the text is taken for one.
        """
        found: list[tuple[int, int, str]] = []
        count = 0
        done = 0
        for number, place in self._words.places(data):
            if place < done:
                continue
            count += 1
            if count > left:
                found.append((place, len(data), "not-looked-through"))
                break
            form, before = self._forms[number]
            begin = place
            if before:
                ahead = data[max(done, place - 64) : place]
                begin = place - len(ahead) + len(ahead.rstrip(before))
            match = form.pattern.match(data, begin)
            if match is not None:
                named = data[begin : match.start(match.lastindex or 0)]
                begin, done = match.span(match.lastindex or 0)
                letters = _letters(data[begin:done])
                if not letters or letters not in _letters(named):
                    found.append((begin, done, form.kind))
        return found, count

    def by_own_rules(self, text: str) -> str:
        """A text without what the rules of one's own say."""
        if self._own:
            lower = text.lower().encode(errors="surrogatepass")
            for rule in self._own:
                if not rule.keywords or any(word in lower for word in rule.keywords):
                    text = rule.pattern.sub(rule.marked, text)
        return text


class _Walk:
    """One event that is looked through."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._left = MOST_PLACES
        self.found = 0

    def value(self, value: Any, name: str = "") -> Any:
        if isinstance(value, str):
            if NAME.fullmatch(name) and len(value) >= SHORTEST and not _MARK.search(value):
                self.found += 1
                return mark("named-secret", value)
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(key): self.value(each, key) for key, each in value.items()}
        if isinstance(value, list):
            return [self.value(each, name) for each in value]
        return value

    def text(self, text: str) -> str:
        data = text.encode()
        found, places = self._redactor.secrets(data, self._left)
        self._left -= places
        if found:
            parts: list[bytes] = []
            done = 0
            for begin, end, kind in found:
                parts += (data[done:begin], mark(kind, data[begin:end].decode(errors="replace")).encode())
                done = end
            parts.append(data[done:])
            text = b"".join(parts).decode(errors="replace")
            self.found += len(found)
        cleaned = self._redactor.by_own_rules(text)
        self.found += cleaned != text
        return cleaned


def _letters(text: bytes) -> bytes:
    """What is left of a name in whatever case and spelling: a value that only says its own name again is none."""
    return text.translate(None, _NO_LETTERS).lower()


def mark(kind: str, secret: str) -> str:
    """What stands instead of a secret."""
    return f"[redacted: {kind}, {len(secret)} characters]"
