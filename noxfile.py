# /// script
# requires-python = ">=3.11"
# dependencies = ["nox[uv]>=2025.5"]
# ///
"""Every way into the project: `./noxw -s SESSION` (or `nox -s SESSION`), here and in CI alike."""

from __future__ import annotations

import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import nox
from nox.command import CommandFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

nox.needs_version = ">=2025.5"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["tests"]

ROOT = Path(__file__).parent
LOCKS = ROOT / "locks"

HARNESS = ["pyproject.toml", "--all-extras", "--group", "tests", "--group", "build"]
SERVER = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "tests" / "server").glob("test_*.py"))
ENDURANCE = [f"tests/server/test_{name}.py" for name in ("bench", "crash", "faults", "fuzz", "scale", "starts")]
# What has a session of its own, since it takes longer than people like to wait for the main suite.
ORACLE = [
    "tests/properties/test_oracle_search.py",
    "tests/integration/oracle",
    "tests/integration/scenarios/test_size.py",
    "tests/integration/engines/test_sweep.py",
]
TESTS = [
    *("tests/unit", "tests/properties"),
    *(path for path in SERVER if path not in ENDURANCE),
    *(f"--ignore={path}" for path in ORACLE),
]
INTEGRATION = [
    # One worker has all of a subject, and of a module in an engine (tests/integration/conftest.py).
    *("--dist=loadscope", "tests/integration"),
    *("-p", "no:hypothesispytest"),  # it has no property test, and the plugin imports all of Hypothesis at the end
    *(f"--ignore={path}" for path in ORACLE),
]
PORTABLE = sorted(
    path.relative_to(ROOT).as_posix()
    for suite in ("unit/observatory/identity", "properties")
    for path in (ROOT / "tests" / suite).glob("test_identity*.py")
    if path.name != "test_identity_documents.py"  # which holds the documents against the harness too
)
CLAUDE_CODE = "2.1.197"
OTHER_CLIENTS = ("@openai/codex@0.171.0", "@google/gemini-cli@0.61.0")
# Each lock: what `uv pip compile` reads. The build backend is locked too, so that no build fetches anything unlocked.
SETS = {
    "core": ["pyproject.toml", "--extra", "pretty"],
    "all": ["pyproject.toml", "--all-extras"],
    "containers": ["pyproject.toml", "--extra", "docker"],
    "harness": [*HARNESS],
    "bench": [*HARNESS, "--group", "bench"],
    "endurance": [*HARNESS, "--group", "fuzz"],
    "types": [*HARNESS, "--group", "types", "--group", "nox"],
    "platforms": [*HARNESS, "--group", "platforms"],
    "portable": ["pyproject.toml", "--group", "portable", "--group", "build"],
    "release": [*HARNESS, "--group", "release", "--group", "nox"],
    "lint": ["--group", "lint"],
    "site": ["--group", "site"],
    "nox": ["--group", "nox"],
}


def install(session: nox.Session, lock: str, *, project: bool = True) -> None:
    """Install a locked set, by its hashes, and the project itself on top of it."""
    session.install("--require-hashes", "-r", str(LOCKS / f"{lock}.txt"))
    if project:
        session.install("--no-deps", "--no-build-isolation", "-e", ".")


# Tests and benchmarks start many Pythons, and each would compile all it imports where the environment forbids to keep
# that.
COMPILED = {"PYTHONDONTWRITEBYTECODE": None}
TO_CLEAR_UP = 30.0
"""Seconds in which what is interrupted may end servers and places and delete its files; nox would give it 0.3."""


def pytest(session: nox.Session, *paths: str) -> None:
    """Run pytest on these paths, or on those given after `--`.

    Unless told otherwise with a worker more than there are cores, since some tests wait for a deadline to pass.
    """
    workers = str((os.cpu_count() or 1) + 1)
    chosen = any((ROOT / argument.partition("::")[0]).exists() for argument in session.posargs)
    words = ["-m", "pytest", "-n", workers, *(() if chosen else paths), *session.posargs]
    session.run("python", *words, env=COMPILED, interrupt_timeout=TO_CLEAR_UP)


@nox.session
def demo(session: nox.Session) -> None:
    """See the product in under a minute: users, layouts, verdicts, senders."""
    install(session, "harness")
    session.run("python", "-m", "harness.showcase.demo", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Everything that needs no container, on any platform."""
    install(session, "harness")
    pytest(session, "--dist=worksteal", *TESTS)  # a few of them wait for ten seconds


@nox.session
def endurance(session: nox.Session) -> None:
    """The server killed at random moments, fuzzed, started twice at once, and broken on purpose."""
    install(session, "endurance")
    pytest(session, *ENDURANCE)


@nox.session
def hostile(session: nox.Session) -> None:
    """Another user of the machine attacks for real; floods by themselves, ten seconds each, with what they did."""
    install(session, "harness")
    floods = "tests/hostile/test_floods.py"
    if not session.posargs:
        session.run("python", "-m", "pytest", "-s", floods, env={"OBSERVATORY_FLOOD": "10"})
    pytest(session, "tests/hostile", f"--ignore={floods}")


@nox.session
def integration(session: nox.Session) -> None:
    """Several users in a real place try to reach real servers; `-- --harness-engine docker,namespace` chooses where."""
    install(session, "harness")
    pytest(session, *INTEGRATION)


@nox.session
def oracle(session: nox.Session) -> None:
    """Random worlds, oracles with one rule wrong, and a world of ten thousand attempts, against the kernel."""
    install(session, "harness")
    pytest(session, *ORACLE)


@nox.session
def plugin(session: nox.Session) -> None:
    """A stranger's project tests a stranger's server with our wheel, and in a workflow with our action."""
    install(session, "harness")
    pytest(session, "tests/plugin")


@nox.session
def packaging(session: nox.Session) -> None:
    """What is published: every command from every install, the files of wheel and sdist, installs from an index."""
    install(session, "release")
    pytest(session, "tests/packaging")


@nox.session
def release(session: nox.Session) -> None:
    """Build what is published into dist, twice and alike, with SBOM, notes, images and Debian packages, and test it."""
    install(session, "release")
    session.run("python", "-m", "release.build", "dist")
    session.run("python", "-m", "release.contexts", "dist")
    session.run("python", "-m", "release.debian", "dist")
    session.env["RELEASE"] = str(ROOT / "dist")
    pytest(session, "tests/packaging")


@nox.session(python=False)
def bump(session: nox.Session) -> None:
    """Write the next version where it stands and into the changelog: `-- major`, `-- minor` or `-- patch`."""
    session.run("python3", "-m", "release.version", *session.posargs, external=True)


@nox.session
def survey(session: nox.Session) -> None:
    """Write docs/survey.md, docs/field.md and artifacts/survey.html: every check of every server; then paste it."""
    install(session, "harness")
    session.run("python", "-m", "harness.showcase.survey", *session.posargs)
    session.run("python", "-m", "harness.showcase.field", *session.posargs)
    session.run("python", "-m", "pytest", "-n", "auto", "tests/survey", "tests/unit/harness/checks")


@nox.session
def mutants(session: nox.Session) -> None:
    """Servers and oracles that are broken on purpose: which check catches which."""
    install(session, "harness")
    pytest(session, "tests/mutants")


@nox.session
def client(session: nox.Session) -> None:
    """Claude Code itself, from npm, in a place with two users, and other agents; only their services are stand-ins."""
    install(session, "harness")
    folder = ROOT / ".cache" / "claude-code"
    if not (folder / "node_modules" / ".bin" / "claude").exists():
        folder.mkdir(parents=True, exist_ok=True)
        version = f"@anthropic-ai/claude-code@{CLAUDE_CODE}"
        session.run("npm", "install", "--silent", "--prefix", str(folder), version, external=True)
    others = ROOT / ".cache" / "other-clients"
    if not all((others / "node_modules" / ".bin" / name).exists() for name in ("codex", "gemini")):
        others.mkdir(parents=True, exist_ok=True)
        session.run("npm", "install", "--silent", "--prefix", str(others), *OTHER_CLIENTS, external=True)
    pytest(session, "tests/client")


@nox.session
def newest(session: nox.Session) -> None:
    """The newest Claude Code, from npm: what `client` has with an older one, and the names of events that it knows."""
    install(session, "harness")
    folder = ROOT / ".cache" / "claude-code-newest"
    folder.mkdir(parents=True, exist_ok=True)
    # Its own installer asks for Node 22, and is not needed: the package for the platform has the program as it is.
    words = ("--silent", "--ignore-scripts", "--prefix", str(folder), "@anthropic-ai/claude-code@latest")
    session.run("npm", "install", *words, external=True)
    session.env["CLAUDE_CODE"] = session.env["CLAUDE_CODE_NEWEST"] = str(folder)
    pytest(session, "tests/client")


@nox.session
def web(session: nox.Session) -> None:
    """The page in a real browser, and the same in a terminal."""
    install(session, "harness")
    pytest(session, "tests/web")


@nox.session
def fleet(session: nox.Session) -> None:
    """Forwarding to a real NATS cluster and to a collector: 200,000 events, unless $FLEET_EVENTS says otherwise."""
    install(session, "harness")
    session.env.setdefault("FLEET_EVENTS", "200000")
    pytest(session, "tests/fleet")


@nox.session
def kernels(session: nox.Session) -> None:
    """The scenarios, a sweep and the identity cases on Debian's kernels, from 5.10 on, in virtual machines."""
    if shutil.which("qemu-system-x86_64") is None:
        session.error("the kernels run in virtual machines: install Debian's qemu-system-x86")
    install(session, "harness")
    pytest(session, "tests/platforms/kernels")


@nox.session
def architectures(session: nox.Session) -> None:
    """Identity's code on six architectures, under emulation."""
    install(session, "platforms")
    pytest(session, "tests/platforms/architectures")


@nox.session
def abi(session: nox.Session) -> None:
    """Every number and layout of identity against the headers of every platform."""
    install(session, "platforms")
    pytest(session, "tests/platforms/abi")


@nox.session
def pythons(session: nox.Session) -> None:
    """The main suite on Python 3.11, 3.13 and 3.14: in roots of Debian bookworm, trixie and sid."""
    install(session, "harness")
    pytest(session, "tests/platforms/pythons")


@nox.session
def settings(session: nox.Session) -> None:
    """The README's two commands where little is installed or much is forbidden; the second whole by $SETTINGS=whole."""
    install(session, "harness")
    pytest(session, "tests/platforms/settings")


@nox.session
def jobs(session: nox.Session) -> None:
    """What the workflow's Linux jobs run, in clean containers."""
    install(session, "harness")
    pytest(session, "tests/platforms/jobs")


@nox.session
def unsupported(session: nox.Session) -> None:
    """Platforms without Unix sockets, really run: Emscripten and WASI."""
    install(session, "platforms")
    pytest(session, "tests/platforms/unsupported")


@nox.session
def rehearsal(session: nox.Session) -> None:
    """The jobs of macOS, the BSDs and Windows, in a Python that has only what theirs has; as root on Linux."""
    install(session, "types")  # mypy brings typeshed, which says what each system's Python lacks
    session.run("python", "-m", "tests.platforms.rehearsal", *session.posargs)


@nox.session
def portable(session: nox.Session) -> None:
    """The tests of identity that need no Linux: for systems on which the harness does not run."""
    install(session, "portable")
    pytest(session, *PORTABLE)


# A program that a session looks for, and the Debian packages that bring it.
PROGRAMS = {
    "bindfs": ["bindfs"],
    "busybox": ["busybox"],
    "cc": ["gcc", "libc6-dev", "libsqlite3-dev"],
    "checkbashisms": ["devscripts"],
    "chromedriver": ["chromium-driver"],
    "chromium": ["chromium"],
    "curl": ["curl"],
    "dbus-daemon": ["dbus-daemon"],
    "dbus-send": ["dbus-bin"],
    "docker": ["?exact-name(docker-cli)"],  # from trixie on; before, docker.io has it
    "dockerd": ["docker.io", "iptables"],
    "explain": ["explain"],
    "fish": ["fish"],
    "gpg": ["gpg"],
    "gpg-agent": ["gpg-agent"],
    "ip": ["iproute2"],
    "mandoc": ["mandoc"],
    "mariadb": ["mariadb-client"],
    "mmdebstrap": ["mmdebstrap"],
    "mount": ["mount"],
    "nats-server": ["nats-server"],
    "newuidmap": ["uidmap"],
    "nginx": ["nginx-light"],
    "notify-send": ["libnotify-bin"],
    "npm": ["npm"],
    "openssl": ["openssl"],
    "podman": ["podman", "runc"],
    "psql": ["postgresql-client"],
    "qemu-s390x-static": ["qemu-user-static"],
    "qemu-system-x86_64": ["qemu-system-x86"],
    "redis-cli": ["redis-tools"],
    "rsyslogd": ["rsyslog"],
    "setfacl": ["acl"],
    "socat": ["socat"],
    "ssh-add": ["openssh-client"],
    "sshfs": ["sshfs", "openssh-sftp-server"],
    "strace": ["strace"],
    "systemd-analyze": ["systemd"],
    "tmux": ["tmux"],
    "zsh": ["zsh"],
}


@nox.session(python=False)
def machine(session: nox.Session) -> None:
    """Install by apt what other sessions look for and this machine lacks: on Debian or Ubuntu, as root or by sudo."""
    lacking = [package for program, packages in PROGRAMS.items() if not shutil.which(program) for package in packages]
    if lacking:
        apt = ["apt-get"] if os.geteuid() == 0 else ["sudo", "DEBIAN_FRONTEND=noninteractive", "apt-get"]
        session.env["DEBIAN_FRONTEND"] = "noninteractive"
        apt += ["-o", "DPkg::Lock::Timeout=300"]  # a new machine often upgrades itself at this moment
        session.run(*apt, "update", "-qq", external=True)
        session.run(*apt, "install", "-y", "-qq", "--no-install-recommends", *lacking, external=True, silent=True)


@nox.session
def images(session: nox.Session) -> None:
    """Make the images that `integration` makes when it needs one that is not there yet."""
    install(session, "harness")
    subjects = ("observatory", "postgresql", "dockerd", "ssh-agent", "tcp", "socket-activation", "postgresql-17")
    session.run("harness", "images", "bookworm", *subjects)


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff's checks, the formatting, imports, spelling, schemas; workflows and action by three linters, all offline."""
    install(session, "lint", project=False)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports", "--no-cache", "--no-logo")
    session.run(
        "codespell", *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "docs", "observatory", "harness")
    )
    workflows = [str(path) for path in sorted((ROOT / ".github" / "workflows").glob("*.yml"))]
    session.run("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *workflows)
    session.run("check-jsonschema", "--builtin-schema", "vendor.github-actions", "action.yml")
    for schema, folder in (("world", "harness/scenarios"), ("subject", "contrib/subjects")):
        files = [str(path) for path in sorted((ROOT / folder).glob("*.toml"))]
        session.run("check-jsonschema", "--schemafile", f"docs/schemas/{schema}.json", *files)
    session.run("actionlint", "-shellcheck=", "-pyflakes=", *workflows)
    session.run("zizmor", "--offline", "--quiet", *workflows, "action.yml")


# What is imported on Windows, where CPython has no Unix sockets: the command line says so before it imports the rest.
WINDOWS = (
    *("observatory/identity", "observatory/cli", "observatory/questions"),
    *("observatory/address.py", "observatory/errors.py", "observatory/text.py"),
)
# Of the user and not of this checkout: what did not change since another one was checked is not checked anew.
MYPY_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "claude-observatory" / "mypy"
# For each platform what must be clean; nothing named is all that pyproject.toml names. Mypy finds for macOS each use of
# what Linux alone has that pyright finds, and pyrefly each other fault for Linux, in a twentieth of pyright's time. It
# is not asked for other systems, since it does not know the ends of a function that the conditions on them are.
MYPY = {"linux": (), "darwin": (), "freebsd14": (), "win32": (*WINDOWS, *PORTABLE)}
PYRIGHT = {"Darwin": ("observatory", *PORTABLE), "Windows": (*WINDOWS, *PORTABLE)}


@nox.session
def types(session: nox.Session) -> None:
    """Mypy, strictly, on all of it for Linux, macOS and FreeBSD; pyrefly for Linux; pyright for macOS and Windows."""
    install(session, "types")

    def pyright(platform: str, paths: Sequence[str]) -> None:
        environment = {"PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
        session.run("pyright", "--pythonplatform", platform, *paths, env=environment, silent=True)

    with ThreadPoolExecutor() as checkers:  # pyright keeps nothing from one run to the next, and takes most of the time
        running = [checkers.submit(pyright, platform, paths) for platform, paths in PYRIGHT.items()]
        session.run("pyrefly", "check", "--python-platform", "linux")
        for platform, paths in MYPY.items():
            # What is never reached is never checked. On other platforms that is meant: it is what Linux alone has.
            strictly = ["--warn-unreachable"] if platform == "linux" else []
            alone = ["--follow-imports=silent"] if paths else []
            session.run(
                *("mypy", "--platform", platform, "--cache-dir", str(MYPY_CACHE / platform), *strictly, *alone, *paths)
            )
        for each in running:
            each.result()


@nox.session(name="all-jobs", python=False)
def all_jobs(session: nox.Session) -> None:
    """CI's last job: every job that it needs has succeeded, by the workflow's own account in $NEEDS."""
    results = {name: need["result"] for name, need in json.loads(os.environ["NEEDS"]).items()}
    if any(result != "success" for result in results.values()) or not results:
        session.error(f"not every job succeeded: {results}")


@nox.session
def site(session: nox.Session) -> None:
    """Build the documents as a site into artifacts/site, strictly: a link that leads nowhere is an error."""
    install(session, "site", project=False)
    session.run("sphinx-build", "-W", "--keep-going", "-q", "-E", "docs", "artifacts/site", *session.posargs)


@nox.session
def pictures(session: nox.Session) -> None:
    """Make the pictures of the documents anew, in a real browser."""
    install(session, "harness")
    made = ("tests/web/test_picture.py", "tests/integration/report/test_picture_in_chromium.py")
    session.run("python", "-m", "pytest", *made, env=COMPILED)
    for name in ("web", "report", "report-cell"):
        shutil.copyfile(ROOT / "artifacts" / f"{name}.png", ROOT / "docs" / f"{name}.png")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure beside peers and beside the limit; prints what it measured."""
    install(session, "bench")
    benchmarks(session, sorted(path.stem for path in (ROOT / "benchmarks").glob("*.py")))


@nox.session
def scale(session: nox.Session) -> None:
    """The part of `bench` that says how far one machine goes: ten million events, crowds, forwarders to NATS."""
    install(session, "bench")
    benchmarks(session, ("scale", "crowds", "forwarding"))


def benchmarks(session: nox.Session, names: Sequence[str]) -> None:
    """Say by what is measured, run all of them, whatever one of them did not reach, and fail then."""
    session.run("python", "-VV")
    session.run("python", "-m", "platform")
    failed = []
    for name in names:
        try:
            words = [f"benchmarks/{name}.py", *session.posargs]
            session.run("python", *words, env=COMPILED, interrupt_timeout=TO_CLEAR_UP)
        except CommandFailed:
            failed.append(name)
    if failed:
        session.error(f"what was to be reached was not, by their own account: {', '.join(failed)}")


@nox.session
def lock(session: nox.Session) -> None:
    """Make every lock anew: versions and hashes for all platforms, no download address. `-- --upgrade` to move on."""
    install(session, "nox", project=False)
    LOCKS.mkdir(exist_ok=True)
    for name, selection in SETS.items():
        session.run(
            *("uv", "pip", "compile", *selection),
            *(
                "--universal",
                "--python-version",
                "3.11",
                "--generate-hashes",
                "--no-annotate",
                "--no-emit-index-url",
            ),
            *("--no-emit-find-links", "--custom-compile-command", "nox -s lock", "--quiet"),
            *("--output-file", f"locks/{name}.txt", *session.posargs),
        )
