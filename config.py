"""Settings: the environment, read once, checked, and refused in one line when it makes no sense."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

LANGUAGES = {"en": "English", "ru": "Русский"}
PLACEHOLDER_KEYS = {"dev", "secret", "change-me", "changeme", "secret-key", "test", "key"}
MINIMUM_KEY_LENGTH = 32


class ConfigError(Exception):
    """A setting that cannot be used; its text names the setting and says what is wrong, in one line."""


@dataclass(frozen=True)
class MailServer:
    """Where letters are handed over. `security` is one of plain, starttls (when offered), tls."""

    host: str
    port: int
    security: str = "plain"
    username: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Inbox:
    """Where letters come in: a mailbox that is fetched (imap, imaps, maildir), or an address that is listened at.

    `path` is the folder of the mailbox, or the directory of the maildir.
    """

    kind: str
    host: str = ""
    port: int = 0
    path: str = ""
    username: str = ""
    password: str = field(default="", repr=False)

    @property
    def is_listened(self) -> bool:
        return self.kind in {"lmtp", "smtp"}

    @property
    def name(self) -> str:
        """Its address as it may be shown: without the password."""
        if self.kind == "maildir":
            return f"maildir:{self.path}"
        who = f"{self.username}@" if self.username else ""
        return f"{self.kind}://{who}{self.host}:{self.port}" + (f"/{self.path}" if self.path else "")


INBOX_PORTS = {"imaps": 993, "imap": 143, "lmtp": 24, "smtp": 25}


@dataclass(frozen=True)
class Settings:
    """Everything the environment decides. Sizes in bytes, rates in letters per minute (0: no limit)."""

    database_url: str
    data_dir: Path
    secret_key: str = field(repr=False)
    secret_key_fallbacks: tuple[str, ...] = field(default=(), repr=False)
    mail_server: MailServer | None = None
    inbox: Inbox | None = None
    public_url: str = "http://127.0.0.1:5000"
    trusted_proxies: int = 0
    trusted_hosts: tuple[str, ...] = ()
    mail_rate: int = 0
    mail_rate_per_domain: int = 0
    max_upload: int = 32 * 1024 * 1024
    testing: bool = False

    @property
    def is_https(self) -> bool:
        return self.public_url.startswith("https://")

    @property
    def staff_session_lifetime(self) -> timedelta:
        return timedelta(hours=12)

    @property
    def client_session_lifetime(self) -> timedelta:
        return timedelta(days=30)

    @property
    def attachments_dir(self) -> Path:
        return self.data_dir / "attachments"

    @property
    def inbound_dir(self) -> Path:
        return self.data_dir / "inbound"


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Return the settings of `environ` (the process's own by default).

    Makes the data directory (mode 700) and, where no key is given, the key file in it (mode 600).
    Raises ConfigError for anything that cannot be meant.
    """
    env = os.environ if environ is None else environ
    if env.get("FLASK_DEBUG", "").lower() not in {"", "0", "false", "no"}:
        raise ConfigError("FLASK_DEBUG: the debugger lets visitors run programs here; it is never switched on")
    data_dir = _data_dir(env.get("DATA_DIR") or "data")
    public_url = _public_url(env.get("PUBLIC_URL") or "http://127.0.0.1:5000")
    return Settings(
        database_url=_database_url(env.get("DATABASE_URL") or f"sqlite:///{data_dir / 'clientdesk.db'}"),
        data_dir=data_dir,
        secret_key=_secret_key(env.get("SECRET_KEY"), data_dir),
        secret_key_fallbacks=tuple(key for key in env.get("SECRET_KEY_FALLBACKS", "").split(",") if key),
        mail_server=_mail_server(env.get("SMTP_URL")),
        inbox=_inbox(env.get("INBOUND_URL")),
        public_url=public_url,
        trusted_proxies=_whole_number(env, "TRUSTED_PROXIES", 0, 10),
        trusted_hosts=_trusted_hosts(env.get("TRUSTED_HOSTS"), public_url),
        mail_rate=_whole_number(env, "MAIL_RATE", 0, 1_000_000),
        mail_rate_per_domain=_whole_number(env, "MAIL_RATE_PER_DOMAIN", 0, 1_000_000),
        max_upload=_whole_number(env, "MAX_UPLOAD_MB", 1, 1024, default=32) * 1024 * 1024,
        testing=env.get("TESTING") == "1",
    )


def _data_dir(value: str) -> Path:
    path = Path(value).resolve()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"DATA_DIR: {path} cannot be used: {error.strerror}") from error
    if not os.access(path, os.W_OK):
        raise ConfigError(f"DATA_DIR: {path} cannot be written to")
    return path


def _database_url(value: str) -> str:
    try:
        url = make_url(value)
    except ArgumentError as error:
        raise ConfigError("DATABASE_URL: not a database address (sqlite:///… or postgresql+psycopg://…)") from error
    if url.drivername in {"postgresql", "postgres"}:
        url = url.set(drivername="postgresql+psycopg")
    if url.drivername not in {"sqlite", "postgresql+psycopg"}:
        raise ConfigError(f"DATABASE_URL: {url.drivername} is not supported (sqlite or postgresql+psycopg)")
    return url.render_as_string(hide_password=False)


def _secret_key(value: str | None, data_dir: Path) -> str:
    if value is None:
        return _kept_key(data_dir / "secret_key")
    if value.lower() in PLACEHOLDER_KEYS or len(value) < MINIMUM_KEY_LENGTH:
        raise ConfigError(f"SECRET_KEY: needs at least {MINIMUM_KEY_LENGTH} characters that nobody can guess")
    return value


def _kept_key(path: Path) -> str:
    """Return the key kept in `path`; make it first where there is none.

    The new key is written aside and linked into place, so of several processes that start at once
    one makes the key and all use it.
    """
    if not path.exists():
        aside = path.with_name(f".secret_key.{secrets.token_hex(8)}")
        aside.touch(mode=0o600)
        aside.write_text(secrets.token_urlsafe(48))
        try:
            os.link(aside, path)
        except FileExistsError:
            pass  # Another process was first; its key is the one.
        finally:
            aside.unlink()
    if path.stat().st_mode & 0o077:
        raise ConfigError(f"SECRET_KEY: {path} can be read by others; make it mode 600")
    return path.read_text().strip()


def _mail_server(value: str | None) -> MailServer | None:
    if not value:
        return None
    try:
        url = urlsplit(value)
        port = url.port
    except ValueError as error:
        raise ConfigError("SMTP_URL: the port is no number") from error
    if url.scheme not in {"smtp", "smtps"} or not url.hostname:
        raise ConfigError("SMTP_URL: expected smtp://user:password@host:port or smtps://…")
    security = "tls" if url.scheme == "smtps" else "starttls"
    return MailServer(
        host=url.hostname,
        port=port or (465 if security == "tls" else 25),
        security=security,
        username=url.username,
        password=url.password,
    )


def _inbox(value: str | None) -> Inbox | None:
    if not value:
        return None
    if value.startswith("maildir:"):
        path = value.removeprefix("maildir:").removeprefix("//")
        if not Path(path).is_absolute() or any(ord(character) < 32 for character in path):
            raise ConfigError("INBOUND_URL: expected maildir:/path, with the whole path")
        return Inbox(kind="maildir", path=path)
    try:
        url = urlsplit(value)
        port = url.port
    except ValueError as error:
        raise ConfigError("INBOUND_URL: the port is no number") from error
    if url.scheme not in INBOX_PORTS or not url.hostname or url.query or url.fragment:
        raise ConfigError(
            "INBOUND_URL: expected imaps://user:password@host/folder, maildir:/path or lmtp://127.0.0.1:port"
        )
    inbox = Inbox(
        kind=url.scheme,
        host=url.hostname,
        port=port or INBOX_PORTS[url.scheme],
        path=unquote(url.path.strip("/")),
        username=unquote(url.username or ""),
        password=unquote(url.password or ""),
    )
    _check_inbox(inbox)
    return inbox


def _check_inbox(inbox: Inbox) -> None:
    """Refuse what the address of an inbox leaves out, or has too much of."""
    if inbox.is_listened and (inbox.path or inbox.username):
        raise ConfigError(f"INBOUND_URL: {inbox.kind}:// takes a host and a port, and nothing else")
    if not inbox.is_listened and not (inbox.username and inbox.password):
        raise ConfigError(f"INBOUND_URL: {inbox.kind}:// needs user:password@ before the host")
    if any(ord(character) < 32 for character in inbox.username + inbox.password + inbox.path):
        raise ConfigError("INBOUND_URL: contains a character that cannot be meant")


def _public_url(value: str) -> str:
    url = urlsplit(value)
    if url.scheme not in {"http", "https"} or not url.hostname or url.query or url.fragment:
        raise ConfigError("PUBLIC_URL: expected an address such as https://desk.example.com")
    return value.rstrip("/")


def _trusted_hosts(value: str | None, public_url: str) -> tuple[str, ...]:
    """Hosts that requests may name: those given, and that of a PUBLIC_URL other than this machine."""
    given = tuple(host.strip() for host in (value or "").split(",") if host.strip())
    own = urlsplit(public_url).hostname or ""
    if not given and own in {"127.0.0.1", "localhost", "::1"}:
        return ()
    return (*given, own) if own else given


def _whole_number(env: Mapping[str, str], name: str, least: int, most: int, *, default: int = 0) -> int:
    value = env.get(name)
    if not value:
        return default
    if not (value.isascii() and value.isdigit() and least <= int(value) <= most):
        raise ConfigError(f"{name}: expected a whole number from {least} to {most}")
    return int(value)
