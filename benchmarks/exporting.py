"""The export of all clients to CSV: how soon it begins, how fast it is, and what memory it costs."""

from __future__ import annotations

import time
from dataclasses import dataclass

from benchmarks.applications import Product
from benchmarks.servers import Failed


@dataclass(frozen=True)
class Export:
    """Seconds to the first byte and rows per second; megabytes held before, and at most meanwhile."""

    rows: int
    first_byte: float
    rows_per_second: float
    before: float
    most: float

    @property
    def growth(self) -> float:
        return self.most - self.before


def export(product: Product) -> Export:
    """Export all clients through HTTP, in a process that has shown one list until now."""
    product.server.forget_peak()
    before, begun, first, rows = product.server.megabytes(), time.perf_counter(), 0.0, 0
    for piece in product.visitor.stream("/admin/clients/export/csv/"):
        first = first or time.perf_counter() - begun
        rows += piece.count(b"\n")
    seconds = time.perf_counter() - begun
    # The first line has the headings.
    if (rows := rows - 1) != product.filled.clients:
        raise Failed(f"the export has {rows} rows, not {product.filled.clients}")
    return Export(rows, first, rows / seconds, before, product.server.peak_megabytes())
