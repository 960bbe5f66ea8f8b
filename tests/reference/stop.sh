#!/bin/sh
# stop.sh DIR [SIGNAL]: stops the broker that start.sh runs on DIR (SIGTERM unless told otherwise) and waits for its end.
set -eu
pid=$(cat "$1/pid")
kill -"${2:-TERM}" "$pid" 2>/dev/null || exit 0
for _ in $(seq 300); do
    kill -0 "$pid" 2>/dev/null || exit 0
    sleep 0.1
done
kill -KILL "$pid"
