"""Servers under test: how each is installed, started, found, asked and stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.subjects.activation import SOCKET_ACTIVATION
from harness.subjects.dockerd import DOCKERD
from harness.subjects.observatory import OBSERVATORY
from harness.subjects.postgresql import POSTGRESQL, POSTGRESQL_17
from harness.subjects.ssh_agent import SSH_AGENT
from harness.subjects.subject import StartRequest, Subject
from harness.subjects.tcp import TCP
from harness.subjects.web import WEB_SERVERS

if TYPE_CHECKING:
    from collections.abc import Mapping

SUBJECTS: Mapping[str, Subject] = {
    subject.name: subject
    for subject in (
        OBSERVATORY,
        POSTGRESQL,
        POSTGRESQL_17,
        DOCKERD,
        SSH_AGENT,
        TCP,
        *WEB_SERVERS,
        SOCKET_ACTIVATION,
    )
}
"""Every subject by its name."""

__all__ = ["SUBJECTS", "StartRequest", "Subject"]
