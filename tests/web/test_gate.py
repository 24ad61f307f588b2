"""Who gets anything from the page's port: tried by curl, as its user and as another one."""

from __future__ import annotations

import asyncio
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from starlette.responses import PlainTextResponse

from observatory.web.gate import Gate
from tests.helpers.observatory_command import started
from tests.helpers.observatory_server import serving
from tests.web.conftest import Web, is_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.helpers.observatory_server import ObservatoryServer

PATHS = (
    "/",
    "/page/main.js",
    "/page/base.css",
    "/api/stream",
    "/api/rows?before=9",
    "/api/events/1",
    "/api/search?text=a",
    "/no",
)


def curl(*arguments: str, user: int | None = None) -> tuple[int, str]:
    """The status and the whole answer, with its head."""
    command = ["curl", "-s", "-i", "--max-time", "5", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, user=user)
    status = re.match(r"HTTP/1\.1 (\d+)", done.stdout)
    assert status, f"{' '.join(command)}: curl says {done.returncode}, {done.stdout!r} {done.stderr!r}"
    return int(status[1]), done.stdout


@pytest.fixture(scope="module")
def server() -> Iterator[ObservatoryServer]:
    with serving(stdout=subprocess.DEVNULL) as running:
        yield running


@pytest.fixture(scope="module")
def web(server: ObservatoryServer) -> Iterator[Web]:
    running = Web(server)
    yield running
    running.end()


@pytest.fixture(scope="module")
def at(web: Web) -> str:
    return f"http://127.0.0.1:{web.port}"


def enter(web: Web) -> str:
    """The answer to a browser that uses the link."""
    status, answer = curl(web.link)
    assert status == 200
    web.link = web.next_link()
    return answer


@pytest.fixture(scope="module")
def let_in(web: Web) -> tuple[str, str]:
    """The cookie and the key of a browser that used the link."""
    answer = enter(web)
    cookie = re.search(r"(?i)^set-cookie: (observatory-\d+=[\w-]+);", answer, re.MULTILINE)
    key = re.search(r"#key=([\w-]+)", answer)
    assert cookie
    assert key
    return cookie[1], key[1]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "OPTIONS"])
def test_another_user_of_the_machine_gets_nothing(
    server: ObservatoryServer, web: Web, at: str, path: str, method: str
) -> None:
    server.hooks().say("Stop", session_id="secret")
    ask = ["--head"] if method == "HEAD" else ["-X", method]
    status, answer = curl(*ask, at + path, user=65534 if is_root() else None)
    assert status == 403
    assert "secret" not in answer


def test_the_link_works_once(web: Web, at: str) -> None:
    first = web.link
    enter(web)
    assert curl(first)[0] == 403
    assert web.link != first
    enter(web)
    assert curl(at + "/?token=")[0] == 403
    assert curl(f"{at}/?token={'a' * 43}")[0] == 403


def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(web: Web) -> None:
    cookie = re.search(r"(?i)^set-cookie: (.*)", enter(web), re.MULTILINE)
    assert cookie
    attributes = {part.strip().lower() for part in cookie[1].split(";")[1:]}
    assert attributes == {"httponly", "samesite=strict", "path=/"}


def test_a_cookie_shows_the_page_and_only_with_the_key_its_data(
    server: ObservatoryServer, at: str, let_in: tuple[str, str]
) -> None:
    cookie, key = let_in
    server.hooks().say("Stop", session_id="mine")
    assert curl("-b", cookie, at + "/")[0] == 200
    data = at + "/api/search?text=mine&after=0&through=999"
    assert curl("-b", cookie, data)[0] == 403, "a server at another port would see the cookie too"
    assert curl("-b", cookie, data + "&key=wrong")[0] == 403
    assert curl(f"{data}&key={key}")[0] == 403
    status, answer = curl("-b", cookie, f"{data}&key={key}")
    assert status == 200
    assert re.search(r"\[\d+\]$", answer)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "localhost:{port}",
        "127.0.0.1",
        "127.0.0.1:1",
        "[::1]:{port}",
        "0:{port}",
        "",
    ],
)
def test_another_name_for_the_address_is_misdirected(web: Web, at: str, let_in: tuple[str, str], host: str) -> None:
    cookie, _ = let_in
    assert curl("-b", cookie, "-H", f"Host: {host.format(port=web.port)}" if host else "Host;", at + "/")[0] == 421
    assert curl("-H", f"Host: {host.format(port=web.port)}" if host else "Host;", web.link)[0] == 421


OTHERS = [
    'prefs={"a": 1}',
    'a="b; c=d"; "; =; ;; \t; =x',
    "observatory-1=x",
    "observatory=x",
    "theme=\u00fc; \x7f=\x80",
    "$Version=1; a,b=[c]; d e=f",
    "x=" + "y" * 60_000,
]


@pytest.mark.parametrize("other", OTHERS)
def test_the_cookie_is_found_among_those_of_other_ports(at: str, let_in: tuple[str, str], other: str) -> None:
    cookie, _ = let_in
    for cookies in (f"{other}; {cookie}", f"{cookie}; {other}", f"{other};{cookie} ;{other}"):
        assert curl("-H", f"Cookie: {cookies}", at + "/")[0] == 200
    assert curl("-H", f"Cookie: {other}", "-H", f"Cookie: {cookie}", at + "/")[0] == 200
    assert curl("-H", f"Cookie: {other}", at + "/")[0] == 403


def test_the_cookie_is_found_among_others_of_its_name(at: str, let_in: tuple[str, str]) -> None:
    name, _, value = let_in[0].partition("=")
    for cookies in (
        f"{name}=x; {name}={value}; {name}=",
        f'{name}; {name}="{value}"',
        f"{name}=x{name}; {name}={value}",
    ):
        assert curl("-H", f"Cookie: {cookies}", at + "/")[0] == 200
    for cookies in (f"x{name}={value}", f"{name}={value[:-1]}", f"{name}={value}x", f"{name}", value):
        assert curl("-H", f"Cookie: {cookies}", at + "/")[0] == 403


def test_two_ports_have_cookies_of_different_names(server: ObservatoryServer, web: Web) -> None:
    other = Web(server)
    try:
        for each in (web, other):
            assert f"set-cookie: observatory-{each.port}=" in enter(each).lower()
    finally:
        other.end()


def test_what_the_gate_itself_answers_is_the_last_of_its_connection(web: Web, at: str, let_in: tuple[str, str]) -> None:
    assert "connection: close" in curl(at + "/")[1].lower()
    assert "connection: close" not in curl("-b", let_in[0], at + "/")[1].lower()


def test_at_the_port_that_browsers_leave_out_the_address_has_none() -> None:
    made = Gate(PlainTextResponse("in"), 80, lambda: None)
    made._browsers = ["known"]
    for host, status in (("127.0.0.1", 200), ("127.0.0.1:80", 200), ("localhost", 421)):
        assert ask(made, "/", {"Host": host, "Cookie": "observatory-80=known"}) == status


@pytest.mark.parametrize(
    "header",
    [
        "Origin: http://evil.example",
        "Origin: null",
        "Origin: http://127.0.0.1:1",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
    ],
)
def test_a_page_of_another_origin_gets_nothing(at: str, let_in: tuple[str, str], header: str) -> None:
    cookie, key = let_in
    for path in ("/", f"/api/events/1?key={key}"):
        status, answer = curl("-b", cookie, "-H", header, at + path)
        assert status == 403
        assert "access-control" not in answer.lower()


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_carries_the_policy_and_shares_nothing(at: str, let_in: tuple[str, str], path: str) -> None:
    cookie, key = let_in
    if path == "/api/stream":
        path = "/api/stream?after=x"  # the refusal: the stream itself would not end
    for arguments in ((), ("-b", cookie, "-H", f"X-Observatory-Key: {key}")):
        _, answer = curl(*arguments, at + path)
        head = answer.partition("\r\n\r\n")[0].lower()
        assert "content-security-policy: default-src 'none'; script-src 'self'; " in head
        assert "x-content-type-options: nosniff" in head
        assert "cache-control: no-store" in head
        assert "access-control" not in head


def test_it_listens_on_the_loopback_address_only(web: Web) -> None:
    sockets = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
    local = [fields[1] for fields in sockets if fields[3] == "0A"]
    assert f"0100007F:{web.port:04X}" in local
    assert f"00000000:{web.port:04X}" not in local


def test_a_taken_port_and_a_missing_server_are_told_in_a_sentence(
    server: ObservatoryServer, web: Web, folder: Path
) -> None:
    taken = started("web", "--socket", server.path, "--port", str(web.port), stderr=subprocess.PIPE)
    assert (
        taken.communicate()[1]
        == f"observatory web: can't listen on 127.0.0.1 port {web.port}: Address already in use\n"
    )
    assert taken.returncode == 1
    nobody = started("web", "--socket", str(folder / "none"), stderr=subprocess.PIPE)
    assert "there is no" in nobody.communicate()[1]
    assert nobody.returncode == 69


# Each rule taken away: that the tests above would see it.

Answer = dict[str, Any]


def ask(app: Gate, path: str, headers: dict[str, str]) -> int:
    """The status that an ASGI application answers."""
    said: list[Answer] = []

    async def run() -> None:
        async def receive() -> Answer:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            said.append(message)

        where, _, query = path.partition("?")
        fields = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await app(
            {"type": "http", "method": "GET", "path": where, "query_string": query.encode(), "headers": fields},
            receive,
            send,
        )

    asyncio.run(run())
    return int(said[0]["status"])


def any_host(made: Gate) -> None:
    made._hosts = {"127.0.0.1:80", "evil.example"}


def any_token(made: Gate) -> None:
    made._token = "guess"


def any_cookie(made: Gate) -> None:
    made._knows = lambda cookies: True  # type: ignore[method-assign]


def any_key(made: Gate) -> None:
    made._key = "guess"


@pytest.mark.parametrize(
    ("fault", "path", "headers"),
    [
        (any_host, "/?token={token}", {"Host": "evil.example"}),
        (any_token, "/?token=guess", {"Host": "127.0.0.1:80"}),
        (any_cookie, "/", {"Host": "127.0.0.1:80"}),
        (any_key, "/api/rows?key=guess", {"Host": "127.0.0.1:80", "Cookie": "{cookie}"}),
    ],
)
def test_each_rule_is_what_refuses(fault: Callable[[Gate], None], path: str, headers: dict[str, str]) -> None:
    def attack(*, faulty: bool) -> int:
        made = Gate(PlainTextResponse("in"), 80, lambda: None)
        made._browsers = ["known"]
        if faulty:
            fault(made)
        filled = {name: value.format(cookie="observatory-80=known") for name, value in headers.items()}
        return ask(made, path.format(token=made._token), filled)

    assert attack(faulty=False) in {403, 421}
    assert attack(faulty=True) == 200
