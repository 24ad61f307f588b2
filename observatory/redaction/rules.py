"""What a secret looks like: forms that are certain, since who gives such keys out gave them a mark of their own.

The forms are those that the rules of gitleaks and of detect-secrets know too. Left out are those that only a guess at
the words around them tells (a long number beside the word `key`); whoever wants these gives gitleaks' rules by
`--redact-with`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Form:
    """One kind of secret. Each has one of the `keywords` in it or before it, and is looked for nowhere else.

    `pattern` is tried where the keyword begins, or so far before it as there are bytes of `before` alone. The secret is
    its first group, or all of it. No group in it is repeated possessively, since Python 3.11 does that wrongly before
    3.11.5 (github.com/python/cpython/issues/106052); one character may be.
    """

    kind: str
    keywords: tuple[bytes, ...]
    pattern: re.Pattern[bytes]
    before: bytes = b""


def _form(kind: str, keywords: str, pattern: str, before: bytes = b"") -> Form:
    return Form(kind, tuple(keywords.encode().split()), re.compile(pattern.encode()), before)


_UPPER: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"
_ALPHANUMERIC: Final = _UPPER + b"abcdefghijklmnopqrstuvwxyz"
_START: Final = r"(?<![A-Za-z0-9_])"
_NAMED: Final = (
    r"(?:(?:[A-Z0-9_]*_)?(?:TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|(?:API|ACCESS|SECRET|AUTH|ENCRYPTION)_KEY)"
    r"|PGPASSWORD)"
)
# Not the name of a variable, a place for a value (YOUR_TOKEN), nor a word that says that there is none.
_NO_VALUE: Final = (
    r"(?![$%<{(\[*]|(?:[A-Za-z]{1,3}|[A-Z]+(?:_[A-Z]+)+|true|false|null|none|None|undefined"
    r"|[0-9]{1,7}|x+|X+|\.+)(?![^\s\"'`;,&|)\\]))"
)
_QUOTED: Final = rf"(?:\\*\"{_NO_VALUE}([^\"\\\r\n$`]{{4,512}}+)\\*\"|\\*'{_NO_VALUE}([^'\\\r\n]{{4,512}}+)\\*')"
_BARE: Final = rf"{_NO_VALUE}([^\s\"'`<>(){{}}\[\]|&;,\\]{{4,512}}+)(?![(\[])"

PRIVATE_KEY: Final = r"PRIVATE KEY(?: BLOCK)?-----"
_BASE64: Final = "[A-Za-z0-9+/=]"

FORMS: Final = (
    _form("aws-access-key", "AKIA ASIA", rf"{_START}A[KS]IA[A-Z0-9]{{16}}(?![A-Za-z0-9])"),
    _form(
        "aws-secret-key",
        "secret_access_key SecretAccessKey",
        r"(?:secret_access_key|SecretAccessKey)[\"'\\]*\s*[=:]\s*[\"'\\]*([A-Za-z0-9+/]{40})(?![A-Za-z0-9+/])",
    ),
    _form("github-token", "ghp_ gho_ ghu_ ghs_ ghr_", r"gh[pousr]_[A-Za-z0-9]{36,255}+"),
    _form("github-token", "github_pat_", r"github_pat_[A-Za-z0-9_]{22,255}+"),
    _form(
        "gitlab-token",
        "glpat- glptt- gldt- glrt- glcbt- glagent- GR1348941",
        r"(?:gl[a-z]{2,5}-[A-Za-z0-9_.-]{20,}+|GR1348941[A-Za-z0-9_-]{20,}+)",
    ),
    _form("slack-token", "xox", r"xox[a-eoprs](?:\.xox[bp])?-[A-Za-z0-9%/+-]{10,}+"),
    _form("slack-token", "xapp-", r"xapp-[0-9]-[A-Za-z0-9-]{20,}+"),
    _form(
        "slack-webhook", "hooks.slack.com", r"hooks\.slack\.com/(?:services|workflows|triggers)/([A-Za-z0-9+/]{20,}+)"
    ),
    _form("google-key", "AIza", r"AIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])"),
    _form("google-token", "GOCSPX- ya29.", r"(?:GOCSPX-[A-Za-z0-9_-]{20,}+|ya29\.[A-Za-z0-9_.-]{20,}+)"),
    _form(
        "stripe-key",
        "k_live_ k_test_",
        rf"{_START}[sr]k_(?:live|test)_[A-Za-z0-9]{{10,255}}+",
        b"sr",
    ),
    _form("stripe-webhook", "whsec_", rf"{_START}whsec_[A-Za-z0-9+/=]{{32,}}+"),
    _form("npm-token", "npm_", rf"{_START}npm_[A-Za-z0-9]{{36}}(?![A-Za-z0-9])"),
    _form("npm-token", "_authToken=", r"_authToken=([^\s\"'$\\]{16,}+)"),
    _form("pypi-token", "pypi-Ag", r"pypi-Ag[A-Za-z0-9_-]{50,}+"),
    _form("anthropic-key", "sk-ant-", r"sk-ant-[A-Za-z0-9_-]{20,}+"),
    _form("openai-key", "sk-proj- sk-svcacct- sk-admin-", r"sk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{20,}+"),
    _form("openai-key", "T3BlbkFJ", r"sk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20,}+", _ALPHANUMERIC + b"-"),
    _form("huggingface-token", "hf_", rf"{_START}hf_[A-Za-z0-9]{{34}}(?![A-Za-z0-9])"),
    _form("sendgrid-key", "SG.", rf"{_START}SG\.[A-Za-z0-9_-]{{22}}\.[A-Za-z0-9_-]{{43}}"),
    _form("vault-token", "hvs. hvb.", rf"{_START}hv[sb]\.[A-Za-z0-9_-]{{24,}}+"),
    _form("digitalocean-token", "_v1_", r"do[opr]_v1_[a-f0-9]{64}", b"dopr"),
    _form("docker-token", "dckr_", r"dckr_(?:pat|oat)_[A-Za-z0-9_-]{27,}+"),
    _form("age-key", "AGE-SECRET-KEY-", r"AGE-SECRET-KEY-1[A-Z0-9]{58}"),
    _form(
        "json-web-token", "eyJ", rf"{_START}eyJ[A-Za-z0-9_-]{{10,}}+\.eyJ[A-Za-z0-9_-]{{10,}}+\.[A-Za-z0-9_-]{{10,}}+"
    ),
    _form(
        "private-key",
        "PRIVATE",
        rf"{PRIVATE_KEY}("
        # All of it, if there is a key in it and not only the word for one;
        rf"(?=(?:(?!-----END )[\s\S]){{0,400}}?{_BASE64}{{40}})"
        r"(?:(?!PRIVATE KEY(?: BLOCK)?-)[\s\S]){0,32768}?(?=-----END )"
        # or as many lines of one as there are, with what stands before each (a number, a quotation mark).
        rf"|(?:(?!-----)[\s\S]){{0,400}}?(?={_BASE64}{{40}})"
        rf"(?:[^A-Za-z0-9+/=-]{{0,24}}+(?:[0-9]{{1,6}}[^A-Za-z0-9+/=-]{{1,4}})?{_BASE64}{{16,}}+)+)",
    ),
    _form(
        "authorization-header",
        "uthorization AUTHORIZATION",
        r"(?:uthorization|AUTHORIZATION)[\"'\\]*\s{0,8}[:=]\s{0,8}[\"'\\]*"
        r"(?i:(?:basic|bearer|token|apikey|negotiate|digest)\s{1,8}(?!(?-i:[A-Z]+(?:_[A-Z]+)+(?![A-Za-z0-9_]))|username=)([^\s\"'`$<>{}()\[\]\\,;|*.][^\s\"'`<>{}()\[\]\\,;|]{7,}+)"
        r"|(?=[a-z_+/=.-]*[0-9])([a-z0-9_+/=.-]{20,}+)(?![(\[]))",
    ),
    _form(
        "named-secret",
        "TOKEN SECRET PASSW PASSP _KEY",
        rf"{_START}{_NAMED}(?:=(?:{_QUOTED}|{_BARE})|\\*[\"']?\s{{0,8}}[:=]\s{{0,8}}{_QUOTED})",
        _UPPER,
    ),
)
"""All kinds that are taken for certain. The keywords, with `ESCAPES`, are no more than the sixty that the search for
them takes at full speed."""

NAME: Final = re.compile(rf"{_NAMED}|(?i:(?:proxy-)?authorization)")
"""A field's name whose value, if it is a text, is a secret whatever it looks like."""
ESCAPES: Final = tuple(f"\\u00{digit}".encode() for digit in "234567")
"""How an ASCII character may be written in JSON, so that a form is not seen until the text is decoded."""
