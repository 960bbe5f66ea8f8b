"""Tables, verdicts and plots of a comparison."""

import datetime
import os
import pathlib
import platform
import subprocess

import plot

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLOTTED = [
    "CPU s/GB", "CPU us/request", "MB/s", "requests/s", "p99 us", "CPU s per second", "all in s", "KB each", "start ms",
    "produce",
]


def write(path, results, options, again=()):
    """The document, and its plots in a folder beside it. `again` are the rows of a run that completes an earlier one."""
    plots = path.parent / "benchmarks"
    plots.mkdir(parents=True, exist_ok=True)
    second = f"\nMeasured in a run of their own: {', '.join(again)}." if again else ""
    about = machine() | {"rounds": options.rounds, "scale": options.scale, "second": second}
    parts = [HEAD.format(**about, targets=verdicts(results))]
    for result in results:
        parts.append(f"## {result['name']}: {result['title']}\n\n{table_of(result)}\n")
        measured = {figure for figures in result["figures"].values() for figure in figures}
        figure = next((figure for figure in PLOTTED if figure in measured), None)
        if figure:
            drawn = plots / f"{result['name']}.svg"
            bars = {name: figures[figure] for name, figures in result["figures"].items() if figure in figures}
            drawn.write_text(plot.bars(f"{result['name']}: {figure}", bars))
            parts.append(f"![{figure}](benchmarks/{drawn.name})\n")
    path.write_text("\n".join(parts))


def table_of(result):
    """A line for each that took part; of those that failed, why."""
    lists = [list(figures) for figures in result["figures"].values()]
    columns = list(dict.fromkeys(column for one in lists for column in one))
    lines = [[result["name"], *columns]]
    for name, figures in result["figures"].items():
        lines.append([name, *(shown(figures[column]) if column in figures else "" for column in columns)])
    failures = [f"\n- **{name}** failed: {why}" for name, why in result["failed"].items()]
    return "\n".join([*([aligned(lines)] if lists else []), *failures])


def verdicts(results):
    """Each target with what was found, and what the floor has where another broker is the measure."""
    lines = [["row", "measure", "found", "target", "met", "floor"]]
    for result in results:
        for target in result["targets"]:
            found = value_of(result["figures"], target)
            figure = target["figure"] + (", synced" if target["subject"].endswith("synced") else "")
            if found is None and target["subject"] in result["failed"]:
                lines.append([result["name"], figure, "failed", "", "no", ""])
            elif found is not None:
                met = found >= target["bound"] if target["at_least"] else found <= target["bound"]
                against = f" / {target['against']}" if target["against"] else ""
                sign = ">=" if target["at_least"] else "<="
                bound = f"{sign} {shown(target['bound'])}"
                of_floor = floor_of(result["figures"], target)
                cells = [shown(found), bound, "yes" if met else "no", "" if of_floor is None else shown(of_floor)]
                lines.append([result["name"], figure + against, *cells])
    return aligned(lines)


def floor_of(figures, target):
    floor = "floor synced" if target["subject"] == "milena synced" else "floor"
    if target["against"].startswith("floor") or not (figures.get(floor) or {}).get(target["figure"]):
        return None
    return value_of(figures, target | {"subject": floor})


def value_of(figures, target):
    own, other = figures.get(target["subject"]), figures.get(target["against"])
    if own is None or (target["against"] and not (other or {}).get(target["figure"])):
        return None
    return own[target["figure"]] / (other[target["figure"]] if target["against"] else 1)


def aligned(lines):
    """A Markdown table that is also readable as it stands."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    told = [lines[0], rule, *lines[1:]]
    cells = [[line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:], widths[1:]))] for line in told]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def shown(value):
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def machine():
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=ROOT)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return {
        "date": datetime.date.today().isoformat(),
        "commit": commit.stdout.strip(),
        "cores": os.cpu_count(),
        "memory": f"{memory:.0f}",
        "system": f"{platform.system()} {platform.release().split('-')[0]} {platform.machine()}",
    }


HEAD = """# Benchmarks

Written by `make bench`, from one run on {date} at commit {commit}: {cores} cores, {memory} GB of memory, {system}.
Load and broker share the cores. Brokers run beside each other and take turns; each figure is the median of {rounds}
runs, at {scale} of the full volume. `make bench ARGS="--only NAME"` repeats one row.{second}

- **milena** leaves syncing to the page cache as Kafka does (`log.flush.policy=os`, and for groups `flush.policy=os` of
  `__consumer_offsets`); **milena synced** is its default, where `acks=all` and commits are answered after an fdatasync
  that covers them.
- **kafka** is Apache Kafka in KRaft mode as it comes; **kafka flushing** with `log.flush.interval.messages=1`.
- **floor** receives the same bytes, checks CRC32C and writes them, or sends them with sendfile, and does nothing else;
  **floor synced** shares an fdatasync among all that wait. It is `tests/bench/floor`.

While rows are measured most of the memory is held by a process beside, and the rest is full of a file's pages: what is written
to the page cache takes the place of those, as on a machine that has been up for long.

CPU is the broker process's own, which holds on a noisy machine; throughput and latencies depend on what else runs
(*others*: cores that processes other than broker and load took meanwhile) and are to be
compared within a row only. Latencies count from when a request was meant to be sent.

## Targets

The last column is what the floor has in the same measure.

{targets}
"""
