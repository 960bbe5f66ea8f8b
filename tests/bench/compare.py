"""Measures brokers side by side in one run and writes docs/BENCHMARKS.md.

All brokers run at the same time and take turns under the same load, in every round in another order. Each figure is
the median over the rounds. CPU is the broker process's own user and system time, so that it compares on a noisy
machine where throughput, which the client shares the cores for, does not. 1 GB is 10^9 bytes.
"""

import argparse
import contextlib
import json
import pathlib
import resource
import sys
import tempfile
import time

FILES = 65_536  # for brokers and loads, each with its connections
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "clients"))

import document  # noqa: E402  (lies beside this file)
import memory  # noqa: E402
import rows  # noqa: E402
from subjects import Generator, make_subjects  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--broker", required=True, type=pathlib.Path, help="the milena binary")
    parser.add_argument("--floor", required=True, type=pathlib.Path, help="the milena-floor binary")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=25, help="rows that would begin later are left out")
    parser.add_argument("--scale", type=float, default=1.0, help="of the volume and length of each load")
    parser.add_argument("--only", action="append", metavar="NAME", help="a row's name or its beginning; may be repeated")
    parser.add_argument("--short", action="store_true", help="show in a minute that all of it runs; figures mean nothing")
    parser.add_argument("--without-kafka", action="store_true")
    parser.add_argument("--folder", type=pathlib.Path, help="where brokers store, rather than a temporary directory")
    parser.add_argument("--json", type=pathlib.Path, help="write the figures there")
    parser.add_argument("--with", type=pathlib.Path, dest="earlier", metavar="JSON",
                        help="figures of an earlier run, for the rows that this one leaves out")
    parser.add_argument("--document", type=pathlib.Path, help="write the tables and plots to this Markdown file")
    options = parser.parse_args()
    if options.short:
        options.rounds, options.scale, options.without_kafka = 1, 0.02, True
        options.only = options.only or rows.SHORT

    earlier = {row["name"]: row for row in json.loads(options.earlier.read_text())} if options.earlier else {}
    with contextlib.suppress(ValueError, OSError):  # only root may have more than was given
        resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES))
    chosen = [row for row in rows.ALL if not options.only or row.name.startswith(tuple(options.only))]
    with contextlib.ExitStack() as stack:
        folder = options.folder or stack.enter_context(tempfile.TemporaryDirectory(prefix="milena-bench-"))
        subjects = make_subjects(options, pathlib.Path(folder))
        generator = Generator(options.broker, options.scale)
        filler = None
        if not options.short:
            stack.enter_context(memory.all_but_a_part())
            filler = memory.Filler(folder)
        results, first = [], time.monotonic()
        for row in chosen:
            begun = time.monotonic()
            if begun - first > options.minutes * 60:
                print(f"{row.name}: left out, the time is up", file=sys.stderr)
                continue
            if filler:
                filler.fill()
            taking_part = [subjects[name] for name in row.subjects if name in subjects]
            results.append(rows.measure(row, taking_part, generator, options.rounds))
            print(f"{document.table_of(results[-1])}\n({time.monotonic() - begun:.0f} s)\n", flush=True)
            if options.document:  # a run that is ended early has shown something
                again = [result["name"] for result in results] if earlier else []
                document.write(options.document, in_order(results, earlier), options, again)
    if options.json:
        options.json.write_text(json.dumps(in_order(results, earlier), indent=1) + "\n")
    print(document.verdicts(results))
    if options.short and any(result["failed"] for result in results):
        raise SystemExit("not all of it ran")


def in_order(results, earlier):
    """All rows of this run, and of an earlier one those that this one has not measured."""
    found = earlier | {result["name"]: result for result in results}
    return [found[row.name] for row in rows.ALL if row.name in found]


if __name__ == "__main__":
    main()
