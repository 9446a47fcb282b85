"""What every test can ask for.

`app`             the application on a fresh, migrated database; the test runs on SQLite and on PostgreSQL,
                  or on one of them with `@pytest.mark.engine("sqlite")`; on SQLite with the long ones only
                  with `@pytest.mark.heavy`
`make_app`        another one with other settings: `make_app(SMTP_URL=None)`
`environ`         the settings of both; `data_dir` is where they keep files
`session`         an application context around the test and its database session, for tests without HTTP
`client`          one visitor with a cookie jar; `make_client()` gives more
`flask_command`   runs `flask --app app …` as a process of its own on the test's database
`cast`            staff of every role and the clients A and B (tests/cast.py)
`keep`            makes what the tests of a module begin with once: a copy of it is there for all but the first
`smtp`            a real mail server that keeps what it gets
`clock`           the application's time, to be set and moved
`live_server`     the application on a port, with `live_server.url`
`page`            a tab of Debian's Chromium; `browser_context` and `browser_problems` belong to it
"""

from __future__ import annotations

import contextvars
import gc
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import argon2
import flask_migrate
import hypothesis
import pytest
from flask import Flask, has_app_context
from flask.testing import FlaskClient
from sqlalchemy.orm import Session, scoped_session
from werkzeug.serving import make_server
from werkzeug.test import TestResponse

import config
import extensions
from app import create_app
from operations import passwords
from tests import cast as people_of
from tests.support import databases, mail, network, run

ROOT = Path(__file__).resolve().parent.parent
CAST = "cast"
# Where a heavy test runs every time; on the other engine it is one of the long ones.
QUICK = "postgresql"
SECRET_KEY = "only-of-the-tests-only-of-the-tests-only-of-the-tests"

hypothesis.settings.register_profile(
    "default",
    derandomize=True,
    deadline=None,
    max_examples=30,
    # A database per test is made once, not once per example; that is meant.
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture, hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.register_profile(
    "long", hypothesis.settings.get_profile("default"), derandomize=False, max_examples=2000, print_blob=True
)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

# Hashing is slow on purpose. Hundreds of tests log in; here it is as quick as argon2 can be.
passwords.hasher = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def pytest_configure(config: pytest.Config) -> None:
    run.begin()
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        del os.environ[name]
    sys.addaudithook(network.guard)


def pytest_collection_finish() -> None:
    settle()


def settle() -> None:
    """Take what is there by now, and stays, out of the search for garbage, and search less often.

    The application with its libraries is half a million objects. To look through them time and again for what the
    tests leave behind took as long as one request in ten.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 10)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what needs a database on each engine, or on those that its mark names."""
    if "engine" in metafunc.fixturenames:
        mark = metafunc.definition.get_closest_marker("engine")
        engines: list[Any] = list(mark.args if mark else databases.ENGINES)
        if metafunc.definition.get_closest_marker("heavy"):
            engines = [pytest.param(one, marks=[] if one == QUICK else [pytest.mark.long]) for one in engines]
        metafunc.parametrize("engine", engines, indirect=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")


@pytest.fixture(autouse=True)
def _nothing_leaves_this_machine() -> Iterator[None]:
    network.attempts.clear()
    yield
    assert not network.attempts, f"reached for other machines: {network.attempts}"


# The database


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> str:
    """Which engine the test runs on: `sqlite` or `postgresql`."""
    return str(request.param)


@pytest.fixture(scope="session")
def _databases(worker_id: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Any]]:
    made: dict[str, databases.SQLite | databases.PostgreSQL] = {}
    failures: dict[str, Exception] = {}

    def migrate(url: str) -> None:
        data_dir = tmp_path_factory.mktemp("migrating")
        app = create_app(config.load({"DATABASE_URL": url, "DATA_DIR": str(data_dir), "TESTING": "1"}))
        try:
            with app.app_context():
                flask_migrate.upgrade()
        finally:
            close(app)

    def of(engine: str) -> databases.SQLite | databases.PostgreSQL:
        if engine in failures:
            raise AssertionError("there is no database: its migrations failed, see above") from failures[engine]
        if engine not in made:
            made[engine] = databases.ENGINES[engine](worker_id)
            try:
                made[engine].prepare(migrate)
            except Exception as error:
                failures[engine] = error
                raise
        return made[engine]

    yield of
    for each in made.values():
        each.close()


@pytest.fixture
def database_url(engine: str, _databases: Callable[[str], Any], request: pytest.FixtureRequest) -> Iterator[str]:
    """A fresh database with the schema of all migrations, and in it the cast, or else what a fixture of the test keeps."""
    store = _databases(engine)
    asked_for = [CAST] if CAST in request.fixturenames else request.fixturenames
    templates = (_kept_as(request, name) for name in asked_for)
    yield store.create(next((each for each in templates if store.kept(each) is not None), databases.PLAIN))
    store.drop()


# The application


@pytest.fixture
def data_dir(engine: str, worker_id: str) -> Iterator[Path]:
    """The application's DATA_DIR, empty."""
    path = run.directory() / f"{worker_id}-{engine}"
    path.mkdir(mode=0o700)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def environ(database_url: str, smtp: mail.MailServer, port: int, data_dir: Path) -> dict[str, str]:
    """The environment that the application and its commands are configured by."""
    return {
        "DATABASE_URL": database_url,
        "DATA_DIR": str(data_dir),
        "SECRET_KEY": SECRET_KEY,
        "SMTP_URL": smtp.url,
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "TESTING": "1",
        # What programs of Python begin with: tests/support/children/sitecustomize.py.
        "PYTHONPATH": str(ROOT / "tests/support/children"),
    }


@pytest.fixture(scope="session")
def _applications() -> dict[tuple[tuple[str, str], ...], Flask]:
    """Applications by their environment. To make one takes longer than most tests, so they are kept."""
    return {}


@pytest.fixture
def app(environ: dict[str, str], _applications: dict[tuple[tuple[str, str], ...], Flask]) -> Iterator[Flask]:
    key = tuple(sorted(environ.items()))
    if key not in _applications:
        _applications[key] = _make(environ)
        settle()
    kept = _applications[key]
    configuration = dict(kept.config)
    yield kept
    close(kept)
    kept.config.clear()
    kept.config.update(configuration)


@pytest.fixture
def make_app(environ: dict[str, str]) -> Iterator[Callable[..., Flask]]:
    """Make an application; keywords change settings, None takes one away."""
    made = []

    def make(**changes: str | None) -> Flask:
        made.append(_make({name: value for name, value in {**environ, **changes}.items() if value is not None}))
        return made[-1]

    yield make
    for app in made:
        close(app)


def _make(environ: dict[str, str]) -> Flask:
    app = create_app(config.load(environ))
    app.test_client_class = Visitor
    return app


def close(app: Flask) -> None:
    """Let go of all connections, so that the database can be dropped."""
    with app.app_context():
        extensions.db.session.remove()
        for engine in extensions.db.engines.values():
            engine.dispose()


@pytest.fixture
def session(app: Flask) -> Iterator[scoped_session[Session]]:
    with app.app_context():
        yield extensions.db.session
        extensions.db.session.remove()


class Visitor(FlaskClient):
    """A test client whose requests know nothing of the context that the test itself may be in.

    Otherwise Flask would let them share `g`, and with it the user that was logged in by the request before.
    """

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        # An answer that is streamed is read to its end here, for it is made in the context of its request.
        return contextvars.Context().run(super().open, *args, **{"buffered": True, **kwargs})


@pytest.fixture
def make_client(app: Flask) -> Callable[[], FlaskClient]:
    return app.test_client


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def clock() -> Iterator[extensions.Clock]:
    yield extensions.clock
    extensions.clock.reset()


@pytest.fixture
def flask_command(environ: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run `flask --app app …`; a code other than 0 fails the test unless `check=False`."""

    def execute(*arguments: str, check: bool = True, **changes: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "flask", "--app", "app", *arguments]
        wanted = {"PATH": os.environ["PATH"], **environ, **changes}
        done = subprocess.run(command, cwd=ROOT, env=wanted, capture_output=True, text=True, timeout=100, check=False)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    return execute


@pytest.fixture
def cast(app: Flask, engine: str, _databases: Callable[[str], Any]) -> people_of.Cast:
    """Staff of every role, and the clients A and B.

    To bring them on takes longer than most tests, so the first one does it, and the others begin with a copy.
    """
    store = _databases(engine)
    if store.begins_with == CAST:
        return store.kept(CAST)
    made = people_of.perform(app)
    close(app)
    store.keep(CAST, made)
    return made


@pytest.fixture
def keep(
    app: Flask, engine: str, _databases: Callable[[str], Any], request: pytest.FixtureRequest
) -> Callable[[str, Callable[[], Any]], Any]:
    """In the fixture `x` of a module: `keep("x", make)` gives what `make` has returned, and the rows it has committed.

    As of the cast: the first test calls `make`, and the others begin with a copy. Nothing else may have written before,
    nor may `make` leave anything in files or change with the time.
    """

    def kept(name: str, make: Callable[[], Any]) -> Any:
        store, template = _databases(engine), _kept_as(request, name)
        if store.begins_with == template:
            return store.kept(template)
        made = make()
        if store.begins_with == databases.PLAIN:
            if has_app_context():
                extensions.db.session.remove()
            close(app)
            store.keep(template, made)
        return made

    return kept


def _kept_as(request: pytest.FixtureRequest, name: str) -> str:
    """The name of the template that the fixture of that name makes: the cast is one for all, others are a module's."""
    return name if name == CAST else f"{request.module.__name__.replace('.', '_')}_{name}".lower()


# The outside world


@pytest.fixture(scope="session")
def _mail_server() -> Iterator[mail.MailServer]:
    server = mail.MailServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def smtp(_mail_server: mail.MailServer) -> Iterator[mail.MailServer]:
    _mail_server.clear()
    _mail_server.start()
    yield _mail_server
    _mail_server.clear()


@pytest.fixture(scope="session")
def port() -> int:
    """The port of `live_server`, known before it runs, so that PUBLIC_URL is right from the start."""
    with mail.listening_socket() as probe:
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class LiveServer:
    app: Flask
    url: str


@pytest.fixture
def live_server(app: Flask, port: int) -> Iterator[LiveServer]:
    """The application behind a real port, in a thread of this process: it has the test's clock."""
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield LiveServer(app, f"http://127.0.0.1:{port}")
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """One Chromium per test process. Without the program: skipped, or an error where it is required."""
    from tests.support import browser as chromium

    if not Path(chromium.PROGRAM).exists():
        reason = f"no browser: {chromium.PROGRAM} is not there"
        if os.environ.get("CLIENTDESK_REQUIRE_BROWSER") == "1":
            raise FileNotFoundError(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium.PROGRAM, args=chromium.ARGUMENTS, headless=True)
        yield started
        started.close()


@pytest.fixture
def browser_problems() -> list[str]:
    """What went wrong in the browser so far; must be empty in the end."""
    from tests.support.browser import Problems

    return Problems()


@pytest.fixture
def browser_context(browser: Any, browser_problems: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A fresh profile. `@pytest.mark.browser_options(java_script_enabled=False)` changes how it is made."""
    options: dict[str, Any] = {
        "locale": "en-GB",
        "timezone_id": "UTC",
        "viewport": {"width": 1280, "height": 800},
    }
    for mark in request.node.iter_markers("browser_options"):
        options |= mark.kwargs
    context = browser.new_context(**options)
    context.set_default_timeout(10_000)
    browser_problems.watch(context)
    yield context
    context.close()
    assert not browser_problems, "\n".join(browser_problems)


@pytest.fixture
def page(browser_context: Any) -> Any:
    return browser_context.new_page()
