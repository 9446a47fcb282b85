"""Settings: what makes no sense stops the start with one line, and the secret key is nobody's but ours."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import config

ROOT = Path(__file__).resolve().parents[2]
KEY = "0123456789abcdef0123456789abcdef"


def load(directory: Path, **environ: str) -> config.Settings:
    return config.load({"DATA_DIR": str(directory), **environ})


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def start(directory: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Start the program, as `flask --app app` does, and end at once."""
    return subprocess.run(
        [sys.executable, "-c", "import app; print(app.create_app().config['SECRET_KEY'])"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "DATA_DIR": str(directory), **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SECRET_KEY", "dev", "at least 32 characters"), ("SECRET_KEY", "", "at least 32 characters"),
        ("SECRET_KEY", "x" * 31, "at least 32 characters"), ("DATABASE_URL", "mysql://x/y", "mysql is not supported"),
        ("DATABASE_URL", "::", "not a database address"), ("SMTP_URL", "http://mail", "expected smtp://"),
        ("SMTP_URL", "smtp://mail:port", "the port is no number"), ("PUBLIC_URL", "desk.example", "expected an address"),
        ("PUBLIC_URL", "javascript:alert(1)", "expected an address"), ("TRUSTED_PROXIES", "-1", "from 0 to 10"),
        ("TRUSTED_PROXIES", "many", "from 0 to 10"), ("MAX_UPLOAD_MB", "0", "from 1 to 1024"),
        ("MAIL_RATE", "1e3", "a whole number"), ("FLASK_DEBUG", "1", "never"), ("FLASK_DEBUG", "true", "never"),
    ],
)  # fmt: skip
def test_a_setting_that_makes_no_sense_is_named_in_one_line(tmp_path: Path, name: str, value: str, said: str) -> None:
    with pytest.raises(config.ConfigError) as refusal:
        load(tmp_path, **{name: value})
    assert str(refusal.value).startswith(f"{name}: ")
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_the_start_ends_with_that_line(tmp_path: Path) -> None:
    done = start(tmp_path, SECRET_KEY="dev")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == "SECRET_KEY: needs at least 32 characters that nobody can guess\n"


def test_four_that_start_at_once_use_one_key_that_stays(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    with ThreadPoolExecutor(4) as pool:
        keys = {settings.secret_key for settings in pool.map(lambda _: load(directory), range(4))}
    assert len(keys) == 1
    (key,) = keys
    assert len(key) >= 43, "48 random bytes"
    assert load(directory).secret_key == key
    assert mode(directory) == 0o700
    assert mode(directory / "secret_key") == 0o600
    assert [path.name for path in directory.iterdir()] == ["secret_key"], "nothing half-made is left"
    assert load(tmp_path / "other").secret_key != key


@pytest.mark.parametrize("readable", [0o640, 0o604, 0o644])
def test_a_key_that_others_can_read_stops_the_start(tmp_path: Path, readable: int) -> None:
    load(tmp_path)
    (tmp_path / "secret_key").chmod(readable)
    with pytest.raises(config.ConfigError, match="can be read by others"):
        load(tmp_path)


def test_earlier_keys_still_count_after_a_change(tmp_path: Path) -> None:
    settings = load(tmp_path, SECRET_KEY=KEY, SECRET_KEY_FALLBACKS=f"{KEY[::-1]},{KEY.upper()}")
    assert settings.secret_key_fallbacks == (KEY[::-1], KEY.upper())


def test_nothing_secret_is_shown_with_the_settings(tmp_path: Path) -> None:
    settings = load(tmp_path, SECRET_KEY=KEY, SMTP_URL="smtp://me:hidden@mail.example")
    assert KEY not in repr(settings)
    assert "hidden" not in repr(settings)


def test_no_key_is_in_the_repository() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    names = {Path(name).name for name in listed}
    assert not names & {"secret_key", ".env"}
