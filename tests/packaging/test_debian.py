"""The Debian package of the built wheel: installed on a clean machine it brings the system's server, and is purged."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import docker
import pytest

from harness.engines.cache import images
from release.debian import RELEASES, build
from tests.helpers.clean_machine import clean_machine
from tests.helpers.containers import run
from tests.packaging.conftest import locked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from docker.models.containers import Container

SOCKET = "/run/claude-observatory/observatory.sock"
UNITS = "/lib/systemd/system/claude-observatory"
SERVE = f"""
[ "$(sed -n s/^ListenStream=//p {UNITS}.socket)" = {SOCKET} ]
mkdir /run/claude-observatory
install -d -m 0700 -o observatory /var/lib/claude-observatory
STATE_DIRECTORY=/var/lib/claude-observatory systemd-socket-activate -E STATE_DIRECTORY -l {SOCKET} \\
  setpriv --reuid="$(sed -n s/^User=//p {UNITS}.service)" --regid=observatory --clear-groups \\
  $(sed -n s/^ExecStart=//p {UNITS}.service) >/dev/null 2>/tmp/log &
until grep -q "Listening on" /tmp/log; do sleep 0.1; done
chown "$(sed -n s/^SocketUser=//p {UNITS}.socket)" {SOCKET}
chmod "$(sed -n s/^SocketMode=//p {UNITS}.socket)" {SOCKET}
"""
"""What systemd would do, by the installed units: its socket, its user, its directory, its command."""


@pytest.fixture
def machine(request: pytest.FixtureRequest, built: Path) -> Iterator[Container]:
    """A clean machine of that release, with what was built at /dist and the package in /dist/debian."""
    suite = request.param
    with locked(built / "debian"):
        if not list(built.glob(f"debian/*~{RELEASES[suite][1]}_*.deb")):
            build(built, suite)
    with contextlib.closing(docker.from_env(timeout=600)) as client:
        image = images.ensure(client, suite, ("ca-certificates", "man-db", "systemd"))
    with clean_machine(image, built, "/dist", {}) as container:
        yield container


def succeeds(machine: Container, script: str) -> str:
    status, said = run(machine, ["bash", "-ec", script])
    assert (status, "Traceback" in said) == (0, False), said
    return said


@pytest.mark.timeout(900)
@pytest.mark.parametrize("machine", RELEASES, indirect=True)
def test_the_package_is_installed_run_and_purged(machine: Container, request: pytest.FixtureRequest) -> None:
    suffix = RELEASES[request.node.callspec.params["machine"]][1]
    before = set(succeeds(machine, "find / -xdev -path /proc -prune -o -name '*observatory*' -print").split("\n"))
    apt = "DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends"
    succeeds(machine, "rm -f /etc/dpkg/dpkg.cfg.d/99mmdebstrap")  # which leaves manual pages out
    succeeds(machine, f"apt-get update -qq; {apt} curl python3-rich python3-tomlkit /dist/debian/*~{suffix}_*.deb")

    account = succeeds(machine, "getent passwd observatory").strip().split(":")
    assert account[5:] == ["/var/lib/claude-observatory", "/usr/sbin/nologin"]
    assert int(account[2]) < 1000
    succeeds(machine, f"systemd-analyze verify --man=no {UNITS}.service {UNITS}.socket")
    assert "enabled" in succeeds(machine, "systemctl is-enabled claude-observatory.socket")
    # A server of one's own is for whoever asks for it.
    assert not succeeds(machine, "find /etc/systemd/user /usr/lib/systemd/user -path '*.wants/*observatory*'")
    for page in ("observatory-serve", "harness-explain"):
        assert page in succeeds(machine, f"man -w {page}")
    for file in ("bash-completion/completions/harness", "zsh/vendor-completions/_observatory"):
        succeeds(machine, f"test -s /usr/share/{file}")

    succeeds(machine, SERVE)
    asks = "setpriv --reuid=nobody --regid=nogroup --clear-groups env HOME=/ "
    send = f"curl -sS --fail --unix-socket {SOCKET} -d '{{}}' 'http://localhost/hook?event=Greeting'"
    succeeds(machine, f"{asks} {send}")
    assert "nobody" in succeeds(machine, f"{asks} observatory whoami")
    assert "Greeting" in succeeds(machine, f"{asks} observatory events")
    assert "Greeting" in succeeds(machine, "observatory events --user nobody")
    owners = succeeds(machine, "stat -c '%U %a' /var/lib/claude-observatory /var/lib/claude-observatory/*")
    assert set(owners.splitlines()) == {"observatory 700", "observatory 600"}
    refused = run(machine, ["sh", "-c", f"{asks} ls /var/lib/claude-observatory"])
    assert refused[0] != 0
    assert "all agree" in succeeds(machine, "cd /tmp && harness run home-0750 --engine namespace")
    assert f"connect {SOCKET}" in succeeds(machine, f"harness explain {SOCKET} --user nobody")

    succeeds(machine, "apt-get purge -y -qq claude-observatory")
    after = succeeds(machine, "find / -xdev -path /proc -prune -o -name '*observatory*' -print").split("\n")
    kept = {name for name in set(after) - before if not name.startswith(("/run/claude-observatory", "/var/cache/apt"))}
    assert kept == set()
    assert succeeds(machine, "getent passwd observatory")
