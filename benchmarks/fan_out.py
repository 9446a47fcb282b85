"""How long it takes from pressing «send» until every ticket and queued letter is written, beside a bare INSERT … SELECT.

The message is sent through HTTP, to all clients of the list, with macros in subject and text of both languages; the
worker's sweep then starts it in a process of its own. Beside it, in turns, the very same rows are written again by one
INSERT … SELECT for each table in one transaction, out of tables that hold nothing else: into the same tables, with
the same indexes and checks. By itself: `python -m benchmarks.fan_out --clients 100000 --database sqlite`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import statistics
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from app import create_app
from benchmarks.applications import Product, checked, led_on
from benchmarks.databases import Filled, Store, run
from benchmarks.servers import Failed, token_of
from jobs import start_mailings

ENGINES = ("sqlite", "postgresql")
CLIENTS, ROUNDS = 100_000, 3
SUBJECT = {"en": "Maintenance of your services, %client_person%", "ru": "Работы на ваших услугах, %client_person%"}
TEXT = {
    "en": "Dear %client_person%,\n\non Sunday night we replace a switch; your services (account %username%, balance "
    "%balance%) will be away for some minutes. Nothing has to be done.\n\n%admin_name%\n%panel_url%\n",
    "ru": "Здравствуйте, %client_person%!\n\nВ ночь на воскресенье мы меняем коммутатор; ваши услуги (пользователь "
    "%username%, баланс %balance%) будут недоступны несколько минут. Делать ничего не нужно.\n\n%admin_name%\n%panel_url%\n",
}
# The tables that the sending writes into, and what of a row belongs to one mailing.
TABLES = {
    "mailing_recipients": "mailing_id = :mailing",
    "tickets": "mailing_id = :mailing",
    "ticket_messages": "ticket_id IN (SELECT id FROM tickets WHERE mailing_id = :mailing)",
    "outbound_emails": "mailing_id = :mailing",
    "audit_events": "module = 'tickets' AND record_id IN (SELECT id FROM tickets WHERE mailing_id = :mailing)",
}
# Of these the demand speaks; the list of recipients and the history are written besides.
DEMANDED = ("tickets", "ticket_messages", "outbound_emails")


@dataclass(frozen=True)
class Round:
    """Seconds: of the request, of the start in the worker, of the bare rows of all tables, and of those demanded."""

    request: float
    start: float
    bare: float
    bare_demanded: float

    @property
    def whole(self) -> float:
        return self.request + self.start


@dataclass
class Figures:
    """`growth`: megabytes by which the web process grew at most; `worker`: the same of the process that starts it."""

    engine: str
    clients: int
    growth: float = 0.0
    worker: float = 0.0
    rounds: list[Round] = field(default_factory=list)

    def median(self, name: str) -> float:
        return statistics.median(getattr(each, name) for each in self.rounds)

    @property
    def ratio(self) -> float:
        return statistics.median(each.whole / each.bare for each in self.rounds)

    @property
    def ratio_demanded(self) -> float:
        return statistics.median(each.whole / each.bare_demanded for each in self.rounds)


def measure(engine: str, *, clients: int, store: Store, rounds: int = ROUNDS) -> Figures:
    """Send the message to everybody several times, in turns with the bare rows, on a copy of the filled database."""
    figures = Figures(engine, clients)
    with store.copied(store.filled(engine, clients=clients, seed=1), engine) as filled:
        product = Product(filled)
        try:
            checked(product.visitor.get("/admin/mailings/"))
            for _ in range(rounds):
                figures.rounds.append(_round(product, filled, figures))
        finally:
            product.stop()
    return figures


def _round(product: Product, filled: Filled, figures: Figures) -> Round:
    address = choose_all(product)
    fields = written(product, address)
    product.server.forget_peak()
    before, begun = product.server.megabytes(), time.perf_counter()
    led_to = led_on(product.visitor.post(address, fields))
    request = time.perf_counter() - begun
    figures.growth = max(figures.growth, product.server.peak_megabytes() - before)
    told = json.loads(run("-m", "benchmarks.fan_out", "--start", environ=product.environ).splitlines()[-1])
    figures.worker = max(figures.worker, told["megabytes"])
    mailing = int(led_to.rpartition("=")[2])
    bare = Bare(filled, mailing)
    bare.check(figures.clients)
    some = bare.write(DEMANDED)
    everything = bare.write(tuple(TABLES))
    bare.close()
    return Round(request, told["seconds"], everything, some)


def choose_all(product: Product) -> str:
    """Mark all clients of the list for a message; the address of its form."""
    fields = {"csrf_token": product.token, "action": "message", "all": "1"}
    return led_on(product.visitor.post("/admin/clients/action/", fields))


def written(product: Product, address: str) -> dict[str, str]:
    """The form filled in, with «send» pressed."""
    page = checked(product.visitor.get(address))
    key = re.search(r'name="idempotency_key"[^>]*value="([^"]+)"', page.text)
    category = re.search(r'<select[^>]*name="category".*?<option[^>]*value="(\d+)"', page.text, re.DOTALL)
    if key is None or category is None:
        raise Failed(f"no form at {address}")
    texts = {f"subject_{code}": text for code, text in SUBJECT.items()}
    texts |= {f"text_{code}": text for code, text in TEXT.items()}
    return {
        "csrf_token": token_of(page), "idempotency_key": key[1], "category": category[1], "recall_minutes": "0",
        "send_email": "1", "send": "1", **texts,
    }  # fmt: skip


class Bare:
    """The rows of one mailing, kept aside, and written again as those of another one."""

    def __init__(self, filled: Filled, mailing: int) -> None:
        self._engine = sa.create_engine(filled.url)
        self._mailing = mailing
        self._sqlite = self._engine.dialect.name == "sqlite"

    def check(self, clients: int) -> None:
        """Whether everybody has a ticket and nearly everybody a letter (some have unsubscribed or no address)."""
        with self._engine.connect() as connection:
            for table in ("tickets", "outbound_emails"):
                count = connection.scalar(sa.text(f"SELECT count(*) FROM {table} WHERE mailing_id = {self._mailing}"))
                if count != clients:
                    raise Failed(f"{count} rows in {table} for {clients} clients")

    def write(self, tables: tuple[str, ...]) -> float:
        """Write the rows of these tables again, with new keys, in one transaction; the seconds it took."""
        with self._engine.begin() as connection:
            self._keep(connection, tables)
        with self._engine.connect() as connection:
            begun = time.perf_counter()
            with connection.begin():
                for table in tables:
                    # In the order in which ours are written, as the rows are kept in that order.
                    names = ", ".join(self._names(connection, table))
                    connection.exec_driver_sql(f"INSERT INTO {table} ({names}) SELECT {names} FROM kept_{table}")
            seconds = time.perf_counter() - begun
        with self._engine.begin() as connection:
            for table in tables:
                connection.exec_driver_sql(f"DROP TABLE kept_{table}")
                if not self._sqlite:
                    sequence = f"pg_get_serial_sequence('{table}', 'id')"
                    connection.exec_driver_sql(f"SELECT setval({sequence}, (SELECT max(id) FROM {table}))")
        return seconds

    def _keep(self, connection: sa.Connection, tables: tuple[str, ...]) -> None:
        mailing = self._another_mailing(connection)
        first, last = connection.execute(
            sa.text("SELECT min(id), (SELECT max(id) FROM tickets) FROM tickets WHERE mailing_id = :mailing"),
            {"mailing": self._mailing},
        ).one()
        shift = last - first + 1
        for table in tables:
            kept, top = f"kept_{table}", connection.exec_driver_sql(f"SELECT max(id) FROM {table}").scalar()
            columns = ", ".join(self._names(connection, table))
            connection.exec_driver_sql(f"DROP TABLE IF EXISTS {kept}")
            connection.execute(
                sa.text(f"CREATE TABLE {kept} AS SELECT {columns} FROM {table} WHERE "
                        f"{TABLES[table].replace(':mailing', str(self._mailing))} ORDER BY id")
            )  # fmt: skip
            lowest = connection.exec_driver_sql(f"SELECT min(id) FROM {kept}").scalar()
            changes = {"id": f"id + {shift if table == 'tickets' else (top or 0) - (lowest or 0) + 1}"}
            known = set(self._names(connection, table))
            changes |= {"mailing_id": str(mailing)} if "mailing_id" in known else {}
            changes |= {"ticket_id": f"ticket_id + {shift}"} if "ticket_id" in known and "tickets" in tables else {}
            changes |= {"reference": self._random(16)} if "reference" in known else {}
            changes |= {"message_id": f"'<' || {self._random(16)} || '@localhost>'"} if "message_id" in known else {}
            changes |= {"record_id": f"record_id + {shift}"} if "record_id" in known else {}
            given = ", ".join(f"{name} = {value}" for name, value in changes.items())
            connection.exec_driver_sql(f"UPDATE {kept} SET {given}")
            if not self._sqlite:
                # Without what the change left behind, and in the order of the ids.
                connection.exec_driver_sql(f"CREATE TABLE new_{kept} AS SELECT * FROM {kept} ORDER BY id")
                connection.exec_driver_sql(f"DROP TABLE {kept}")
                connection.exec_driver_sql(f"ALTER TABLE new_{kept} RENAME TO {kept}")

    def _another_mailing(self, connection: sa.Connection) -> int:
        """A mailing that the rows written again belong to."""
        names = [name for name in self._names(connection, "mailings") if name not in {"id", "idempotency_key"}]
        columns = ", ".join(names)
        connection.exec_driver_sql(
            f"INSERT INTO mailings ({columns}) SELECT {columns} FROM mailings WHERE id = {self._mailing}"
        )
        number = connection.exec_driver_sql("SELECT max(id) FROM mailings").scalar()
        connection.exec_driver_sql(f"UPDATE mailings SET status = 'cancelled' WHERE id = {number}")
        return int(number or 0)

    def _names(self, connection: sa.Connection, table: str) -> list[str]:
        return [column["name"] for column in sa.inspect(connection).get_columns(table) if not column.get("computed")]

    def _random(self, digits: int) -> str:
        if self._sqlite:
            return f"hex(randomblob({digits // 2}))"
        return "upper(right(gen_random_uuid()::text, 12) || left(gen_random_uuid()::text, 4))"

    def close(self) -> None:
        self._engine.dispose()


def start() -> dict[str, float]:
    """Start what is due, as a worker does: the seconds, and the megabytes by which this process grew."""
    with create_app().app_context():
        before, begun = _peak(), time.perf_counter()
        start_mailings()
        return {"seconds": time.perf_counter() - begun, "megabytes": _peak() - before}


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def report(figures: list[Figures]) -> str:
    titles = (
        "database", "recipients", "request, s", "start, s", "tickets, messages and letters by INSERT … SELECT, s",
        "with recipients and history, s", "all / the first", "all / the second", "web process grew by, MB",
        "worker grew by, MB",
    )  # fmt: skip
    lines = [f"| {' | '.join(titles)} |", f"| --- {'| ---: ' * (len(titles) - 1)}|"]
    for each in figures:
        cells = [each.engine, f"{each.clients:,}"]
        cells += [f"{each.median(name):.2f}" for name in ("request", "start", "bare_demanded", "bare")]
        cells += [f"{each.ratio_demanded:.2f}", f"{each.ratio:.2f}", f"{each.growth:.0f}", f"{each.worker:.0f}"]
        lines.append(f"| {' | '.join(cells)} |")
    load = f"Load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()}."
    lines += ["", f"Medians of {len(figures[0].rounds)} rounds, taken in turns. {load}"]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fan_out", description=__doc__)
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--database", choices=ENGINES, action="append", help="both, where none is named")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--directory", type=Path, help="where filled databases are kept and found again")
    parser.add_argument("--start", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.start:
        print(json.dumps(start()))
        return
    store = Store(given.directory)
    try:
        found = [
            measure(engine, clients=given.clients, store=store, rounds=given.rounds)
            for engine in given.database or ENGINES
        ]
    except Failed as failure:
        sys.exit(str(failure))
    finally:
        store.close()
    print(report(found))


if __name__ == "__main__":
    main()
