#!/bin/sh
# compaction.sh BROKER DIR PORT PORT [RECORDS]: writes the same records, tombstones among them, to compacted topics of
# Milena (the binary BROKER) and of Apache Kafka, waits until both have compacted them, and compares what is left, offset
# by offset. Needs what setup.sh installs. Works in DIR, which must not exist, and leaves it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
broker=$1
dir=$2
ours=$3
theirs=$4
records=${5:-300000}
mkdir "$dir"
dir=$(cd "$dir" && pwd)

stop() {
    kill "$(cat "$dir/milena.pid")" 2>/dev/null || true
    "$here/stop.sh" "$dir/kafka" || true
}
trap stop EXIT
"$here/start.sh" "$theirs" "$dir/kafka" log.cleaner.backoff.ms=500
"$broker" serve --set "listeners=PLAINTEXT://127.0.0.1:$ours" --set "log.dirs=$dir/milena" \
    --set log.cleaner.backoff.ms=500 >"$dir/milena.log" 2>&1 &
echo $! >"$dir/milena.pid"

# Seven records to a key on average, every thirteenth a tombstone; then keys of their own, which fill the segments behind.
python3 - "$records" >"$dir/input" <<'INPUT'
import random, sys
chance, count = random.Random(7), int(sys.argv[1])
for number in range(count):
    key = chance.randrange(count // 7)
    print(f"k{key}:~" if chance.randrange(13) == 0 else f"k{key}:{number} " + "v" * chance.randrange(120))
for number in range(100_000):
    print(f"fill{number}:" + "f" * 100)
INPUT

for port in "$ours" "$theirs"; do
    "$broker" topic create state -b "127.0.0.1:$port" -p 1 --timeout 60 -c cleanup.policy=compact \
        -c segment.bytes=4194304 -c min.cleanable.dirty.ratio=0.01
    "$broker" produce state -b "127.0.0.1:$port" -k : --null '~' --batch-bytes 65536 <"$dir/input" >/dev/null
done

for checkpoint in "$dir/milena/cleaner-offset-checkpoint" "$dir/kafka/data/cleaner-offset-checkpoint"; do
    waited=0
    until awk -v end="$records" '$1 == "state" && $3 >= end { found = 1 } END { exit !found }' "$checkpoint" 2>/dev/null; do
        waited=$((waited + 1))
        test "$waited" -lt 240 || { echo "compaction.sh: $checkpoint does not get to $records" >&2; exit 1; }
        sleep 0.5
    done
done

for port in "$ours" "$theirs"; do
    "$broker" consume state -b "127.0.0.1:$port" --keys --positions |
        awk -F '\t' -v end="$records" '$2 < end { print $2 "\t" $4 "\t" $5 }' >"$dir/left.$port"
done
cmp "$dir/left.$ours" "$dir/left.$theirs"
echo "of $records records both keep the same $(wc -l <"$dir/left.$ours")"
