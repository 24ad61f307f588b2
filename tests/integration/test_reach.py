"""Who reaches alice's observatory, and as whom: every layout, every mode, every user, compared with the oracle."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from harness.engines.attached import finished
from harness.engines.protocol import Completed
from harness.oracle import predict, rules_of
from harness.report.run_terminal import explain_refusal
from harness.testbed.callers import Call, Callers
from harness.trials.verdict import judge
from tests.helpers.forked_command import IMPORTED
from tests.helpers.installation import environment
from tests.integration.cast import CAST, LAYOUTS, MODES, Layout, with_socket
from tests.integration.conftest import Server, credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from harness.engines.protocol import Place, Process
    from harness.pytest_plugin.fixtures import Tally
    from harness.trials.verdict import Verdict
    from harness.world import World

CASES = [(layout, mode, None) for layout in LAYOUTS for mode in MODES] + [(LAYOUTS[0], 0o660, "team")]


@pytest.fixture(scope="module")
def place(place: Place) -> Place:
    """The place with the cast, whom no server changes: one after the other listens in it."""
    place.build(CAST)
    return place


@dataclass
class Serving(Server):
    """One of those that are forked."""

    def end(self) -> Completed:
        """Ask it to end, and wait for that; what it wrote and nobody has read is passed over."""
        self.process.send("\n")
        while not self.process.read_line("stderr").startswith("ending"):
            pass
        while "ended" not in (said := self.event()):
            pass
        return Completed(said["ended"], "", "")


@pytest.fixture(scope="module")
def forks(place: Place) -> Iterator[Process]:
    """The process that alice's servers are forked from: a start of its own takes each as long as all that is tried."""
    given = {"environment": environment(), "imported": IMPORTED}
    process = place.call("tests.integration.forks", CAST.principal("alice"), **given)
    process.read_line()
    yield process
    finished(process, timeout=10.0)


@pytest.fixture
def serve(forks: Process) -> Iterator[Callable[..., Server]]:
    """Have alice's observatory forked and wait until it listens; it is ended when the test ends."""
    with contextlib.ExitStack() as stack:

        def start(*arguments: str) -> Server:
            forks.send(json.dumps(["serve", *arguments]) + "\n")
            server = Serving(forks, forks.read_line("stderr"))
            stack.callback(server.end)
            assert "listening on" in server.listening
            return server

        yield start


@pytest.fixture(scope="module")
def callers(place: Place) -> Iterator[Callers]:
    with Callers(place, CAST) as callers:
        yield callers


@pytest.mark.parametrize(
    ("layout", "mode", "group"),
    CASES,
    ids=[f"{layout.name}-{mode:04o}" + (f"-{group}" if group else "") for layout, mode, group in CASES],
)
def test_the_kernel_admits_whom_the_oracle_admits_and_the_server_knows_them(
    place: Place,
    callers: Callers,
    serve: Callable[..., Server],
    tally: Tally,
    request: pytest.FixtureRequest,
    layout: Layout,
    mode: int,
    group: str | None,
) -> None:
    server = serve(
        "--socket", layout.socket, "--mode", f"{mode:04o}", *(("--group", called(place, group)) if group else ())
    )
    world = with_socket(layout, mode, group)
    verdicts = try_everybody(place, callers, server, world)
    tally(cases=1, attempts=len(verdicts))
    said = [explain_refusal(world, verdict, reproduce(request)) for verdict in verdicts if not verdict.agree]
    assert not said, "\n\n" + "\n\n".join(said)


def called(place: Place, group: str) -> str:
    """The group's name, or its number where the accounts of the world are none of the machine's."""
    return str(CAST.groups[group]) if place.facts.engine == "host" else group


def try_everybody(place: Place, callers: Callers, server: Server, world: World) -> list[Verdict]:
    """Every user connects; whoever gets in sends an event, whose sender is compared with the process that sent it."""
    verdicts = []
    decisions = predict(world, world.attempts, rules_of(place.facts))
    for attempt, decision, seen in zip(world.attempts, decisions, place.attempt(world.attempts), strict=True):
        observation = replace(seen, credentials=None, process=None)
        answer = callers.call(attempt.user, attempt.path, {"user": attempt.user, "_peer_uid": 4242})
        if answer.outcome == "ok":
            event = server.event()
            assert (answer.status, event["user"]) == (200, attempt.user)
            observation = replace(observation, credentials=credentials(event), process=answer.process)
        verdict = judge(attempt, decision, observation)
        if answer.outcome != seen.outcome:
            words = f"{attempt.user}: one process got {seen.outcome}, another of the same user {answer.outcome}"
            verdict = replace(verdict, differences=(*verdict.differences, words))
        verdicts.append(verdict)
    return verdicts


class RefusedCallers(Callers):
    """The users as processes whom the kernel lets in nowhere, unlike those by which a place makes its attempts."""

    def call(
        self, user: str, to: str | tuple[str, int], body: Mapping[str, Any], target: str = "/hook?event=Probe"
    ) -> Call:
        return Call("EACCES")


def test_two_processes_of_one_user_that_are_treated_differently_are_told(
    place: Place, serve: Callable[..., Server], request: pytest.FixtureRequest
) -> None:
    layout = LAYOUTS[0]
    server = serve("--socket", layout.socket, "--mode", "0600")
    world = with_socket(layout, 0o600)
    verdicts = {
        verdict.attempt.user: verdict for verdict in try_everybody(place, RefusedCallers(place, CAST), server, world)
    }
    assert verdicts["mallory"].agree
    assert not verdicts["alice"].agree
    told = explain_refusal(world, verdicts["alice"], reproduce(request))
    assert "alice: one process got ok, another of the same user EACCES" in told


def reproduce(request: pytest.FixtureRequest) -> str:
    """The one command that runs this very case again."""
    engine = request.getfixturevalue("engine").name
    return f"./noxw -s integration -- --harness-engine {engine} {request.node.nodeid!r}"
