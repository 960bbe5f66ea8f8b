#!/bin/sh
# dump.sh [OPTION...] FILE...: Kafka's DumpLogSegments over segment and index files. With no option it iterates deeply
# over the records, compares every index entry with its log, and checks the indexes themselves. Fails when the tool
# finds fault. What it says of single records ("| ...") is not searched, as payloads may contain anything, and is not
# shown with QUIET=1 in the environment. With COMPACTED=1 offsets may be missing.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
clients=${MILENA_CLIENTS_DIR:-$(cd "$here/../.." && pwd)/.clients}
options=
while test $# -gt 0; do
    case $1 in
        --*) options="$options $1"; shift ;;
        *) break ;;
    esac
done
files=$(IFS=,; echo "$*")

dump() {
    {
        java -Xmx1G -Dlog4j2.level=ERROR -cp "$clients/kafka-tools/lib/*" org.apache.kafka.tools.DumpLogSegments \
            "$@" --files "$files" 2>&1 || echo "dump.sh: the tool ended with error $?"
    } | awk -v quiet="${QUIET:-}" -v gaps="${COMPACTED:-}" '
        /^[|]/ { if (!quiet) print; next }
        { print }
        / is followed by / { if ($1 != -1 && !gaps) bad = 1; next } # the tool takes every segment for the first
        /^(Dumping|Non-consecutive|[/])/ { next }
        tolower($0) ~ /mismatch|not found in|out of order|isvalid: false|invalid|corrupt|exception|error/ { bad = 1 }
        END { exit bad }' || { echo "dump.sh: the tool found fault, see above" >&2; exit 1; }
}

if test -n "$options"; then
    # shellcheck disable=SC2086
    dump $options
else
    dump --deep-iteration
    indexes=$(echo "$files" | tr , '\n' | grep 'index$' | paste -s -d , -)
    if test -n "$indexes"; then
        files=$indexes
        dump --index-sanity-check
    fi
fi
