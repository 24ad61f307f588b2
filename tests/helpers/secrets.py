"""A secret of each kind, made up here, and put together of pieces so that no scanner takes this file for a leak."""

from __future__ import annotations

import base64
import random
import string

_random = random.Random(23)


def _some(count: int, signs: str = string.ascii_letters + string.digits) -> str:
    return "".join(_random.choices(signs, k=count))


def _base64(count: int) -> str:
    return base64.b64encode(_random.randbytes(count)).decode()


def private_key(kind: str = "RSA ") -> str:
    """The lines of a private key."""
    body = _base64(900)
    lines = [body[at : at + 64] for at in range(0, len(body), 64)]
    return "\n".join([f"-----BEGIN {kind}PRIVATE " + "KEY-----", *lines, f"-----END {kind}PRIVATE " + "KEY-----"])


UPPER = string.ascii_uppercase + "234567"
HEX = "0123456789abcdef"

PLANTED: dict[str, str] = {
    "aws-access-key": "AK" + "IA" + _some(16, UPPER),
    "github-token": "gh" + "p_" + _some(36),
    "github-token (fine-grained)": "github" + "_pat_" + _some(22) + "_" + _some(59),
    "gitlab-token": "gl" + "pat-" + _some(20),
    "slack-token": "xo" + "xb-" + _some(12, string.digits) + "-" + _some(24),
    "slack-token (app)": "xa" + "pp-1-" + _some(11, UPPER) + "-" + _some(13, string.digits) + "-" + _some(64, HEX),
    "google-key": "AI" + "za" + _some(35),
    "google-token": "ya" + "29." + _some(60),
    "stripe-key": "sk" + "_live_" + _some(24),
    "stripe-webhook": "wh" + "sec_" + _some(32),
    "npm-token": "np" + "m_" + _some(36),
    "pypi-token": "py" + "pi-AgEIcHlwaS5vcmc" + _some(60),
    "anthropic-key": "sk" + "-ant-api03-" + _some(93) + "AA",
    "openai-key": "sk" + "-proj-" + _some(48),
    "openai-key (older)": "sk-" + _some(20) + "T3Blbk" + "FJ" + _some(20),
    "huggingface-token": "hf" + "_" + _some(34),
    "sendgrid-key": "SG" + "." + _some(22) + "." + _some(43),
    "vault-token": "hv" + "s." + _some(24),
    "digitalocean-token": "do" + "p_v1_" + _some(64, HEX),
    "docker-token": "dc" + "kr_pat_" + _some(27),
    "age-key": "AGE-SECRET-" + "KEY-1" + _some(58, UPPER),
    "json-web-token": "ey" + "J" + _some(20) + ".ey" + "J" + _some(40) + "." + _some(43),
}
"""Secrets that are known wherever they stand, by the kind of each."""

AROUND: dict[str, tuple[str, str]] = {
    "authorization-header": ('curl -H "Authorization: Bearer {}" https://example.com', _some(24)),
    "authorization-header (basic)": ("authorization: Basic {}\r\nAccept: */*", _base64(18)),
    "named-secret": ("export DEPLOY_TOKEN={}; make", _some(12)),
    "named-secret (quoted)": ("DB_PASSWORD='{}' psql", "correct horse $battery"),
    "named-secret (json)": ('{{"CLIENT_SECRET": "{}", "n": 1}}', _some(14)),
    "named-secret (code)": ('STRIPE_API_KEY = "{}"\n', _some(14)),
    "aws-secret-key": ("aws_secret_access_key = {}\n", _some(40)),
    "slack-webhook": ("curl https://hooks.slack.com/services/{}", f"T{_some(8, UPPER)}/B{_some(8, UPPER)}/{_some(24)}"),
    "npm-token (.npmrc)": ("//registry.example.com/:_authToken={}\n", _some(36, HEX)),
}
"""Secrets that are known by what stands around them: that, and the secret."""
