"""Measure a bulk change beside the raw UPDATE of the same rows, in turns, on the filled database of DATABASE_URL.

Fill it first: `python -m benchmarks.fill --clients 1000000`. It is changed: take a copy that nobody needs.

    DATABASE_URL=sqlite:////tmp/big.db python scripts/measure_bulk.py --query "registered_from=2024-01-01" --rounds 3
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--query", default="registered_from=2024-01-01&registered_to=2024-12-30")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    from app import create_app

    with create_app().app_context():
        times = [measured(dict(parse_qsl(given.query)), number) for number in range(given.rounds)]
    raw, ours, back = (statistics.median(column) for column in zip(*times, strict=True))
    print(f"median: raw UPDATE {raw:.2f} s, bulk change {ours:.2f} s ({ours / raw:.2f} times), undo {back:.2f} s")


def measured(parameters: dict[str, str], number: int) -> tuple[float, float, float]:
    """Seconds of the raw UPDATE, of the bulk change, and of its undoing; each really changes every row."""
    import sqlalchemy as sa

    from extensions import db, now, rows_changed
    from models import Characterization, Client, Staff
    from operations import bulk_changes, bulk_undo, selections

    staff = db.session.scalars(sa.select(Staff).order_by(Staff.id).limit(1)).one()
    one, other = db.session.scalars(sa.select(Characterization).order_by(Characterization.id).limit(2))
    chosen = selections.create(staff=staff, module="clients", action="set_characterization", parameters=parameters)
    clients = selections.client_ids(chosen)
    raw = sa.update(Client).where(Client.id.in_(clients)).values(characterization_id=one.id)
    rows_changed(raw.values(characterization_id=other.id))
    db.session.commit()

    seconds = [timed(lambda: rows_changed(raw))]
    done: list[Any] = []
    asked = bulk_changes.Asked(clients, chosen.count, staff, now(), chosen)
    seconds.append(
        timed(lambda: done.append(bulk_changes.set_characterization(asked, characterization=other, reason="")))
    )
    seconds.append(timed(lambda: done.append(bulk_undo.undo(done[0], by=staff, now=now()))))
    told = ", ".join(f"{name} {took:.2f} s" for name, took in zip(("raw", "bulk", "undo"), seconds, strict=True))
    print(f"round {number + 1}: {done[0].changed} changed, {done[1].changed} restored; {told}", flush=True)
    return seconds[0], seconds[1], seconds[2]


def timed(work: Any) -> float:
    from extensions import db

    begun = time.perf_counter()
    work()
    db.session.commit()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
