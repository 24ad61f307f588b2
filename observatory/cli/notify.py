"""`observatory notify`: tell somebody when a session waits, has finished, has failed or has died."""

from __future__ import annotations

from typing import TYPE_CHECKING

from observatory.cli.origin import add_origin_options, source
from observatory.cli.remarks import remark
from observatory.cli.server_options import add_server_options
from observatory.errors import ExitStatus

if TYPE_CHECKING:
    import argparse

    from observatory.notify.channels import Channel
    from observatory.notify.message import Message
    from observatory.notify.occasions import Kind
    from observatory.notify.schedule import QuietHours


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `notify`."""
    from observatory.notify.occasions import KINDS, USUAL

    parser = subparsers.add_parser(
        "notify",
        help="notify you when a session waits, has finished, has failed or has died",
        description="Follow the events that you may see, and notify you of what happens from now on: by a line on "
        "standard output, and a message by each channel that you name. What happens within a few seconds is one "
        "message, and a wait that is over by then is left out. Ends when interrupted.",
    )
    add_server_options(parser)
    add_origin_options(parser)
    parser.add_argument(
        "--on",
        metavar="KIND,...",
        type=_kinds,
        default=frozenset(USUAL),
        help=f"what to notify of: {', '.join(KINDS)} (default: {','.join(USUAL)})",
    )
    parser.add_argument("--desktop", action="store_true", help="by notify-send, on macOS by osascript")
    parser.add_argument("--bell", action="store_true", help="by the terminal's bell")
    parser.add_argument(
        "--webhook",
        metavar="URL|FILE",
        help="POST it as JSON; other users see a URL in the list of processes, but not the contents of a file",
    )
    parser.add_argument("--ntfy", metavar="URL|FILE", help="POST its text to a topic, such as https://ntfy.sh/TOPIC")
    parser.add_argument(
        "--command", metavar="COMMAND", dest="program", help="run it by sh, with the message as JSON on standard input"
    )
    parser.add_argument(
        "--quiet",
        metavar="HH:MM-HH:MM",
        type=_quiet,
        help="send nothing in these hours, and afterwards what still holds",
    )
    parser.add_argument(
        "--burst",
        metavar="SECONDS",
        type=_seconds,
        default=2.0,
        help="make one message of what happens in this time (default: 2)",
    )
    parser.add_argument("--test", action="store_true", help="send one message now by each channel, and end")
    parser.set_defaults(run=run)


def _kinds(text: str) -> frozenset[Kind]:
    import argparse

    from observatory.notify.occasions import KINDS
    from observatory.text import nearest

    for word in text.split(","):
        if word not in KINDS:
            near = nearest(word, KINDS)
            hint = f"; did you mean {near}?" if near else f": there are {', '.join(KINDS)}"
            raise argparse.ArgumentTypeError(f"nothing is called {word!r}{hint}")
    return frozenset(kind for kind in KINDS if kind in text.split(","))


def _quiet(text: str) -> QuietHours:
    import argparse

    from observatory.notify.schedule import quiet_hours

    try:
        return quiet_hours(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _seconds(text: str) -> float:
    import argparse
    import re

    if re.fullmatch(r"\d{1,4}(\.\d{1,3})?", text) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds such as 2")
    return float(text)


def run(options: argparse.Namespace) -> int:
    """Follow and tell."""
    from observatory.feed.feed import Feed
    from observatory.notify.notifier import Notifier, send
    from observatory.notify.schedule import Schedule

    channels = _channels(options)
    if options.test:
        return ExitStatus.DONE if send(_trial(), channels, _show, _say) else ExitStatus.FAILED
    feed = Feed(source(options))
    notifier = Notifier(feed, options.on, Schedule(options.burst, options.quiet), channels, _show, _say)
    _say(f"telling what happens from now on at {feed.source.name}")
    try:
        notifier.run()
    finally:
        feed.stop()


def _channels(options: argparse.Namespace) -> list[Channel]:
    """The channels that the options ask for. Raises ObservatoryError for one that can't work."""
    from observatory.notify.channels import Bell, Command, Ntfy, Webhook, desktop, url

    found: list[Channel] = []
    if options.bell:
        found.append(Bell())
    if options.desktop:
        found.append(desktop())
    if options.webhook is not None:
        found.append(Webhook(url(options.webhook)))
    if options.ntfy is not None:
        found.append(Ntfy(url(options.ntfy)))
    if options.program is not None:
        found.append(Command(options.program))
    return found


def _trial() -> Message:
    from observatory.notify.message import Message

    return Message("observatory can tell you", "This is a test.", urgent=False, occasions=())


def _show(message: Message) -> None:
    print(" | ".join([message.title, *message.text.splitlines()]), flush=True)


def _say(sentence: str) -> None:
    remark("notify", sentence)
