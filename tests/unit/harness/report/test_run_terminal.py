from __future__ import annotations

import io
from typing import TYPE_CHECKING

from harness.engines.protocol import Observation
from harness.oracle.decision import Decision
from harness.report.run_terminal import CELLS, explain_refusal, print_run, text_of_run
from harness.scenarios import Story
from harness.trials.verdict import judge
from harness.world import Attempt, Node, User, World
from tests.helpers.runs import admitted, refused, run_of

if TYPE_CHECKING:
    from harness.trials.run import Run
    from harness.trials.verdict import Verdict


def test_a_refusal_is_told_with_its_path_its_modes_its_reason_and_the_way_to_see_it_again(
    world: World, refusal: Verdict
) -> None:
    assert explain_refusal(world, refusal, "harness run home.toml") == (
        "nginx connect /run/app/app.sock: EACCES at /home/ali\n"
        "    drwxr-xr-x  root root  /\n"
        "    drwxr-xr-x  root root  └─ run\n"
        "    lrwxrwxrwx  root root     └─ app -> /home/ali/app\n"
        "    drwxr-xr-x  root root  └─ home\n"
        "  > drwxr-x---+ ali  ali      └─ ali  <- EACCES: needs x (search), has nothing\n"
        "                                 user:1500:--x\n"
        "    drwxr-xr-x  root root        └─ app\n"
        "    srw-rw----  ali  web            └─ app.sock\n"
        "  why    nginx lacks x on /home/ali: uid 33 is not the owner 1000.\n"
        "  class  other\n"
        "  fix    setfacl -m u:nginx:--x /home/ali  (lets in no other user of this world)\n"
        "  or     chmod o+x /home/ali  (lets in 2 more users of this world)\n"
        "  again  harness run home.toml\n"
    )


def test_a_disagreement_says_what_each_side_says(world: World) -> None:
    told = explain_refusal(world, refused(observed="ok"), "again")
    assert "BUT    nginx connect /run/app/app.sock: the oracle says EACCES, the kernel did ok" in told


def test_a_hostile_name_moves_no_cursor(world: World) -> None:
    told = explain_refusal(world, refused(path="/run/\x1b]0;owned\x07\r\n/x"), "again")
    assert "\x1b" not in told
    assert "\r" not in told
    assert "\\x1b]0;owned\\x07\\r\\n" in told


def test_a_refusal_that_is_no_component_of_the_path_is_told_all_the_same(world: World) -> None:
    decision = Decision("ENAMETOOLONG", "/elsewhere", None, "", "", "", "The path is too long.")
    verdict = judge(Attempt("ali", "stat", "/home/ali"), decision, Observation("ENAMETOOLONG"))
    assert "  > /elsewhere  <- ENAMETOOLONG" in explain_refusal(world, verdict, "again")


def test_the_middle_of_a_long_path_is_left_out_but_never_the_refusal() -> None:
    path = "/" + "/".join(f"d{number}" for number in range(200))
    world = World("w", users=(User("root", 0, 0),), nodes=(Node(path, "socket"),))
    at = "/" + "/".join(f"d{number}" for number in range(101))
    decision = Decision("EACCES", at, "other", "", "x", "", "No.")
    told = explain_refusal(world, judge(Attempt("root", "connect", path), decision, Observation("EACCES", at)), "again")
    assert "d100  <- EACCES" in told
    assert told.count("more components") == 2
    assert len(told.splitlines()) < 40


def test_a_run_shows_the_matrix_the_refusals_and_what_it_ran_on(run: Run) -> None:
    told = text_of_run(run)
    assert "user   connect /run/app/app.sock" in told
    assert "ali    ok" in told
    assert "nginx  EACCES" in told
    assert told.count("<- EACCES") == 1
    assert told.splitlines()[-1] == (
        "2 attempts, 1 refused, all agree  engine namespace, Linux 6.18.0, fs.protected_symlinks=1"
    )


def test_a_run_that_disagrees_says_so_in_the_matrix_and_at_the_end(disagreeing: Run) -> None:
    told = text_of_run(disagreeing)
    assert "nginx  != ok" in told
    assert "1 DISAGREE" in told.splitlines()[-1]


def test_a_run_that_is_not_as_the_world_expects_is_no_disagreement_of_oracle_and_kernel() -> None:
    told = text_of_run(run_of(admitted(expect="EACCES"), refused()))
    assert "ali    unexpected: ok" in told
    assert "  expect ali connect /run/app/app.sock: not as the world expects: it says EACCES, and oracle and" in told
    assert "1 refused, 1 not as the world expects  engine" in told.splitlines()[-1]
    assert "BUT" not in told
    assert "DISAGREE" not in told
    both = text_of_run(run_of(admitted(expect="EACCES"), refused(observed="ok")))
    assert "1 DISAGREE, 1 not as the world expects" in both.splitlines()[-1]


def test_those_who_are_refused_alike_are_explained_once() -> None:
    told = text_of_run(run_of(admitted(), refused("nginx"), refused("www-data")))
    assert told.count("<- EACCES") == 1
    assert "nginx, www-data connect /run/app/app.sock: EACCES" in told


def test_a_scenario_tells_its_story() -> None:
    told = text_of_run(run_of(refused(), story=Story("It fails.", "The mode.", "Another mode.")))
    for line in ("  symptom  It fails.", "  cause    The mode.", "  remedy   Another mode."):
        assert line in told


def test_a_matrix_that_nobody_could_read_is_not_drawn() -> None:
    told = text_of_run(run_of(*[admitted()] * (CELLS + 1)))
    assert f"{CELLS + 1} attempts are too many to draw here" in told


def test_wide_matrices_are_cut_into_tables_that_fit() -> None:
    verdicts = [admitted(f"user-{number}", path) for number in range(30) for path in [f"/run/{n}" for n in range(40)]][
        :400
    ]
    told = text_of_run(run_of(*verdicts), width=80)
    assert max(map(len, told.splitlines()[:-1])) <= 80
    assert told.count(" ok") == 400


def test_a_terminal_gets_colours() -> None:
    stream = io.StringIO()
    print_run(run_of(refused()), stream, colour=True, width=100)
    assert "\x1b[1;31m" in stream.getvalue()
