"""Sockets that are no Unix sockets, on whatever system this is."""

from __future__ import annotations

import socket

import pytest

from observatory.identity import peer_credentials


def test_a_connection_of_another_family_has_no_peer_credentials() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert peer_credentials(client) is None


@pytest.mark.skipif(hasattr(socket, "AF_UNIX"), reason="this system has Unix sockets")
def test_where_python_has_no_unix_sockets_nobody_is_known() -> None:
    left, right = socket.socketpair()
    with left, right:
        assert peer_credentials(left) is None
