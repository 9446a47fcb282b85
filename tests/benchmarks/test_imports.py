"""The measurement of imports brings in what it says, and compares it with the very same rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import imports, run
from benchmarks.databases import Store


@pytest.mark.long
def test_an_import_is_measured_beside_its_own_rows(tmp_path: Path) -> None:
    store = Store(tmp_path / "kept")
    figures = imports.measure("sqlite", clients=200, store=store)
    store.close()
    assert (figures.engine, figures.clients) == ("sqlite", 200)
    assert 0 < figures.rehearsal < figures.whole.clock
    assert figures.whole.processor > 0
    assert figures.bare.clock <= figures.whole.clock
    assert 50 < figures.megabytes < 300
    told = imports.report([figures])
    assert "| sqlite | 200 |" in told


@pytest.mark.long
def test_a_whole_run_judges_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "IMPORTED", 200)
    store = Store(tmp_path / "kept")
    told = run.Told(None)
    verdicts = run._imports("sqlite", store, told)
    store.close()
    assert [verdict.what for verdict in verdicts] == ["import, beside the bare rows", "import, peak memory"]
