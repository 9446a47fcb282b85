"""The program that makes one PDF: a process of its own, so that its memory and its time are bounded and given back.

It reads a job as JSON from standard input and writes the PDF to standard output. It imports nothing of ours.
"""

from __future__ import annotations

import json
import resource
import sys

import typst


def main() -> None:
    job = json.load(sys.stdin)
    resource.setrlimit(resource.RLIMIT_AS, (job["memory"], job["memory"]))
    resource.setrlimit(resource.RLIMIT_CPU, (job["seconds"], job["seconds"]))
    fonts = typst.Fonts(include_system_fonts=False)
    pdf = typst.compile(
        job["template"],
        root=job["root"],
        font_paths=fonts,
        ignore_system_fonts=True,
        sys_inputs={"data": json.dumps(job["data"], ensure_ascii=False)},
        timestamp=job["timestamp"],
        pdf_tags=job["tagged"],
        format="pdf",
    )
    sys.stdout.buffer.write(pdf)


if __name__ == "__main__":
    main()
