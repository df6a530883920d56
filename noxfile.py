"""The project's commands: ``nox -s docs``, ``nox -s tests`` and a few more.

``nox -l`` lists them.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nox
from nox.command import CommandFailed

sys.path.insert(0, "snippets/tests")

from support import requirements

nox.needs_version = ">=2025.11.12"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.download_python = "never"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["docs", "tests"]

PYPROJECT = nox.project.load_toml("pyproject.toml")
SITE = Path("build/html")
RESULTS = Path("build/results")
WORKERS = ("-n", str(2 * (os.cpu_count() or 1)))  # half of a test's time is waiting
OLDEST_MINOR = 11  # CPython 3.11, as requires-python in pyproject.toml says


def choose_pyenv_versions() -> None:
    """Put every CPython that pyenv has on PATH, unless the caller chose some.

    Without PYENV_VERSION pyenv's ``python3.12`` exists but fails.
    """
    if "PYENV_VERSION" in os.environ or not shutil.which("pyenv"):
        return
    listing = subprocess.run(
        ["pyenv", "versions", "--bare"],  # noqa: S607
        capture_output=True,
        check=False,
        text=True,
    )
    found = [
        line
        for line in reversed(listing.stdout.split())  # the newest first
        if re.fullmatch(r"3\.\d+\.\d+", line)
        and int(line.split(".")[1]) >= OLDEST_MINOR
    ]
    if found:
        os.environ["PYENV_VERSION"] = ":".join(found)


def runs(version: str) -> bool:
    """Return whether CPython *version*, such as "3.12", is at hand and starts."""
    if version == f"3.{sys.version_info.minor}":
        return True  # the one that runs Nox
    python = shutil.which(f"python{version}")
    if not python:
        return False
    code = "import sys; print(sys.implementation.name, *sys.version_info[:2])"
    answer = subprocess.run(
        [python, "-c", code], capture_output=True, check=False, text=True
    )
    return answer.stdout.split() == ["cpython", *version.split(".")]


choose_pyenv_versions()
AT_HAND = [f"3.{minor}" for minor in range(OLDEST_MINOR, 40) if runs(f"3.{minor}")]
if not AT_HAND:
    sys.exit(f"no CPython 3.{OLDEST_MINOR} or newer on PATH: install one first")
NEWEST = AT_HAND[-1]
MISSING = [v for v in nox.project.python_versions(PYPROJECT) if v not in AT_HAND]


def install(session: nox.Session, group: str) -> None:
    """Install a dependency group of pyproject.toml."""
    session.install(f"--group={group}")


def build_site(session: nox.Session, python: str) -> None:
    """Build the site in all its formats and print its address."""
    session.run(python, "docs/build.py", str(SITE), external=True)
    print(f"\n{(SITE / 'index.html').resolve().as_uri()}", flush=True)


def docs_python(session: nox.Session) -> Path:
    """Return the Python that the session ``docs`` builds with."""
    return session.cache_dir.parent / "docs" / "bin" / "python"


@nox.session(python=NEWEST)
def docs(session: nox.Session) -> None:
    """Build the site and its other formats in build/html, with the newest Python."""
    install(session, "docs")
    build_site(session, "python")


@nox.session(python=AT_HAND)
def tests(session: nox.Session) -> None:
    """Test every snippet, doctest and transcript on each Python at hand."""
    install(session, "test")
    if session.posargs:  # a part of the tests, say: not for the site to show
        session.run("python", "-m", "pytest", *session.posargs)
        return
    if docs_python(session).exists() and SITE.exists():
        session.notify("refresh")  # runs after all tests, also if they fail
    results = RESULTS / f"cpython-{session.python}-{sys.platform}.xml"
    results.unlink(missing_ok=True)  # never show an earlier run's for this one's
    unfinished = results.with_suffix(".part")  # which the site does not read
    unfinished.unlink(missing_ok=True)
    try:
        session.run(
            *("python", "-m", "pytest", *WORKERS, *slow_tests(session)),
            f"--junitxml={unfinished}",
        )
    except CommandFailed as failure:
        all_was_run = failure.reason == "Returned code 1"  # and some of it failed
        if all_was_run and unfinished.exists():
            unfinished.replace(results)
        raise
    unfinished.replace(results)


def slow_tests(session: nox.Session) -> list[str]:
    """Return the option that adds the slow tests: in CI, on one Python."""
    once = "CI" in os.environ and session.python == NEWEST
    return ["-m", ""] if once else []


def add_missing(version: str) -> None:
    """Add the session of a supported Python that is not at hand, to say just that."""

    def missing(session: nox.Session) -> None:
        session.error(f"no python{version} on PATH: install CPython {version} first")

    missing.__doc__ = f"(CPython {version} is not at hand)"
    nox.session(name=f"tests-{version}", default=False, python=False)(missing)


for _version in MISSING:
    add_missing(_version)


@nox.session(python=False, default=False)
def refresh(session: nox.Session) -> None:
    """Bring newer test results into a site that is there (``tests`` asks for it)."""
    build_site(session, str(docs_python(session)))


@nox.session(python=NEWEST, default=False)
def bench(session: nox.Session) -> None:
    """Measure, into docs/benchmarks; with "-- --quick" see within a minute if it runs.

    Says what it could not measure, and what to install: a C compiler, for one.
    """
    install(session, "bench")
    session.run(
        *("python", "-m", "benchmarks", *session.posargs),
        env={"PYTHONPATH": os.pathsep.join(["snippets", "snippets/tests"])},
    )


@nox.session(python=NEWEST, default=False)
def lint(session: nox.Session) -> None:
    """Check code, prose and workflows without running them."""
    install(session, "lint")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("mypy", "--strict")
    session.run(
        "sphinx-lint", "README.rst", "CONTRIBUTING.rst", "CHANGELOG.rst", "docs"
    )
    session.run("codespell")
    for schema, files in {
        "github-workflows": sorted(Path(".github/workflows").glob("*.yml")),
        "dependabot": [Path(".github/dependabot.yml")],
    }.items():
        session.run(
            "check-jsonschema",
            f"--builtin-schema=vendor.{schema}",
            *map(str, files),
        )
    session.run("zizmor", "--offline", "--pedantic", ".")


@nox.session(python=False, default=False)
def deps(session: nox.Session) -> None:
    """Install the programs that the transcripts call (Debian and Ubuntu).

    With "-- site" also those that check the site.
    """
    clients = requirements.packages()
    packages = {clients[c] for c in clients if not requirements.usable(c)}
    packages |= lacking_test_packages() | lacking_headers()
    if "site" in session.posargs:
        packages |= set(lacking_site_packages().values())
    if not packages:
        session.log("every client is there: %s", ", ".join(sorted(clients)))
    elif not shutil.which("apt-get"):
        session.warn(
            "not Debian or Ubuntu: install what Debian calls %s",
            ", ".join(sorted(packages)),
        )
        return
    else:
        as_root = [] if os.geteuid() == 0 else ["sudo"]
        apt = [*as_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet"]
        session.run(*apt, "update", external=True)
        session.run(
            *apt,
            "install",
            "--yes",
            "--no-install-recommends",
            *sorted(packages),
            external=True,
        )
    warn_of_closed_namespaces(session)


def lacking_test_packages() -> set[str]:
    """Return what brings CPython's own tests, which Debian packages apart.

    The emulation of kqueue is put to those of kqueue.
    """
    lacking = set()
    for python in Path("/usr/bin").glob("python3.[0-9]*"):
        version = python.name.removeprefix("python")
        if re.fullmatch(r"3\.\d+", version) and int(version[2:]) >= OLDEST_MINOR:
            find = "from importlib.util import find_spec as find; import sys; "
            code = find + "sys.exit(find('test.test_kqueue') is None)"
            if subprocess.run([python, "-c", code], check=False).returncode:
                lacking.add(f"libpython{version}-testsuite")
    return lacking


def lacking_headers() -> set[str]:
    """Return what brings the headers that the benchmarks in C include."""
    wanted = {"stdio.h": "libc6-dev", "openssl/ssl.h": "libssl-dev"}
    return {p for name, p in wanted.items() if not Path("/usr/include", name).exists()}


def warn_of_closed_namespaces(session: nox.Session) -> None:
    """Say what to do where an ordinary user may not make a network namespace."""
    restriction = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
    if os.geteuid() == 0 or not restriction.exists():
        return
    if restriction.read_text().strip() != "0":
        session.warn(
            "AppArmor keeps ordinary users from making network namespaces, so the"
            " transcripts cannot run. Until the next boot this lets them:"
            " sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
        )


@nox.session(python=NEWEST, default=False)
def live(session: nox.Session) -> None:
    """Serve the pages on 127.0.0.1 and rebuild them at every change.

    All but the EPUB, to which the link leads nowhere here, but in what ``docs`` builds.
    """
    install(session, "live")
    session.run(
        *("sphinx-autobuild", "--host", "127.0.0.1", "--watch", "snippets"),
        *("docs", "build/live", *session.posargs),
    )


@nox.session(python=False, default=False)
def site(session: nox.Session) -> None:
    """Put the built site to a browser and to checkers (npm, Chromium, Java).

    CHROME_PATH names another browser of Chromium's kind than the one on PATH.
    """
    if lacking := lacking_site_packages():
        session.error(
            f"missing: {', '.join(lacking)}; `nox -s deps -- site` installs them"
            f" (Debian: {', '.join(sorted(lacking.values()))})"
        )
    if not (SITE / "index.html").exists():
        session.error("there is no site to check: run nox -s docs tests first")
    checks = Path("build/checks")
    shutil.copytree(Path("docs/_checks"), checks, dirs_exist_ok=True)
    with session.chdir(checks):
        quiet = ("--no-audit", "--no-fund")
        session.run("npm", "ci", "--ignore-scripts", *quiet, external=True)
    tests = sorted(path.name for path in Path("docs/_checks").glob("*.test.mjs"))
    session.run(
        # One after the other: Lighthouse measures time.
        *("node", "--test", "--test-concurrency=1", "--test-reporter=spec"),
        *(str(checks / name) for name in tests),
        env={"CHROME_PATH": os.environ.get("CHROME_PATH") or shutil.which("chromium")},
        external=True,
    )


def lacking_site_packages() -> dict[str, str]:
    """Return the programs missing that check the site, with their Debian packages."""
    wanted: dict[str, str] = PYPROJECT["tool"]["cheatsheet"]["site"]
    chosen = os.environ.get("CHROME_PATH")
    return {
        program: package
        for program, package in wanted.items()
        if not shutil.which(chosen if program == "chromium" and chosen else program)
    }
