from __future__ import annotations

from harness.report.matrix import matrix_of
from tests.helpers.runs import admitted, refused


def test_a_cell_keeps_every_attempt_in_its_order() -> None:
    matrix = matrix_of([refused("a"), refused("b"), refused("a", observed="ok"), admitted("a", "/x")])
    assert matrix.corner == "path"
    assert matrix.rows == ("connect /run/app/app.sock", "connect /x")
    assert matrix.columns == ("a", "b")
    assert matrix.cells == {
        ("connect /run/app/app.sock", "a"): (0, 2),
        ("connect /run/app/app.sock", "b"): (1,),
        ("connect /x", "a"): (3,),
    }


def test_a_world_without_attempts_has_an_empty_matrix() -> None:
    assert matrix_of([]).rows == ()
