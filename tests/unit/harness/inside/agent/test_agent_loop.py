"""The agent's loop: whom an event concerns."""

from __future__ import annotations

import os
import selectors

from harness.inside.agent.loop import turn


def test_an_event_of_a_descriptor_that_has_ended_does_not_concern_the_next_one_of_its_number() -> None:
    called: list[str] = []
    pipes = [os.pipe() for _ in range(3)]
    with selectors.DefaultSelector() as selector:
        for (reading, writing), name in zip(pipes[:2], ("first", "second"), strict=True):
            os.write(writing, b"-")

            def end_the_other(descriptor: int, name: str = name) -> None:
                called.append(name)
                other = next(reading for reading, _ in pipes[:2] if reading != descriptor)
                selector.unregister(other)
                os.dup2(pipes[2][0], other)  # another one by that number, in which there is nothing
                selector.register(other, selectors.EVENT_READ, lambda _: called.append("another"))

            selector.register(reading, selectors.EVENT_READ, end_the_other)
        turn(selector)
    for each in {descriptor for pair in pipes for descriptor in pair}:
        os.close(each)
    assert len(called) == 1
