"""Write every address of the application with its methods into a file, one per line."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from flask import Flask

ROOT = Path(__file__).resolve().parent.parent


def lines(app: Flask) -> list[str]:
    """Return `address METHODS`, sorted; HEAD and OPTIONS go without saying."""
    return sorted(
        f"{rule.rule} {' '.join(sorted((rule.methods or set()) - {'HEAD', 'OPTIONS'}))}"
        for rule in app.url_map.iter_rules()
    )


def main(target: Path) -> None:
    sys.path.insert(0, str(ROOT))
    import app
    import config

    with tempfile.TemporaryDirectory() as data_dir:
        made = app.create_app(config.load({"DATA_DIR": data_dir}))
        target.write_text("\n".join(lines(made)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
