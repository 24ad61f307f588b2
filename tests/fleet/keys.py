"""An operator, an account and its users for one test: keys and tokens as `nsc` makes them.

Source: nats-io/jwt, claims of version 2; a token is signed with an ed25519 key of the nkeys format.
"""

from __future__ import annotations

import base64
import json
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import nkeys

if TYPE_CHECKING:
    from pathlib import Path

PREFIXES = {
    "operator": nkeys.PREFIX_BYTE_OPERATOR,
    "account": nkeys.PREFIX_BYTE_ACCOUNT,
    "user": nkeys.PREFIX_BYTE_USER,
}


@dataclass
class Key:
    """A key pair."""

    seed: bytes
    pair: Any
    public: str


def make_key(kind: str) -> Key:
    seed = nkeys.encode_seed(os.urandom(32), PREFIXES[kind])
    pair: Any = nkeys.from_seed(bytearray(seed))
    return Key(bytes(seed), pair, pair.public_key.decode())


def _part(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def token(issuer: Key, subject: str, name: str, claims: dict[str, Any]) -> str:
    body = {
        "jti": os.urandom(8).hex(),
        "iat": int(time.time()),
        "iss": issuer.public,
        "sub": subject,
        "name": name,
        "nats": {**claims, "version": 2},
    }
    signed = _part(b'{"typ":"JWT","alg":"ed25519-nkey"}') + b"." + _part(json.dumps(body).encode())
    return (signed + b"." + _part(issuer.pair.sign(signed))).decode()


@dataclass
class Operator:
    """Who gives out accounts: one with all that JetStream has, one of the system."""

    folder: Path
    key: Key = field(default_factory=lambda: make_key("operator"))
    account: Key = field(default_factory=lambda: make_key("account"))
    system: Key = field(default_factory=lambda: make_key("account"))

    def config(self) -> str:
        """What a server needs to know of it."""
        limits = {"subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "conn": -1, "leaf": -1}
        store = {"mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1}
        accounts = {
            self.account.public: token(
                self.key, self.account.public, "fleet", {"type": "account", "limits": {**limits, **store}}
            ),
            self.system.public: token(self.key, self.system.public, "SYS", {"type": "account", "limits": limits}),
        }
        operator = token(self.key, self.key.public, "operator", {"type": "operator"})
        lines = "\n".join(f"  {public}: {text}" for public, text in accounts.items())
        return (
            f"operator: {operator}\nsystem_account: {self.system.public}\nresolver: MEMORY\n"
            f"resolver_preload: {{\n{lines}\n}}\n"
        )

    def credentials(self, name: str, publish: list[str], subscribe: list[str]) -> str:
        """A credentials file for a user who may do this and nothing else; its path."""
        key = make_key("user")
        claims = {
            "type": "user",
            "subs": -1,
            "data": -1,
            "payload": -1,
            "pub": {"allow": publish},
            "sub": {"allow": subscribe},
        }
        path = self.folder / f"{name}.creds"
        path.write_text(
            f"-----BEGIN NATS USER JWT-----\n{token(self.account, key.public, name, claims)}\n"
            "------END NATS USER JWT------\n\n"
            f"-----BEGIN USER NKEY SEED-----\n{key.seed.decode()}\n------END USER NKEY SEED------\n"
        )
        path.chmod(0o600)
        return str(path)
