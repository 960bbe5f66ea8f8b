#!/bin/sh
# dump.sh [OPTION...] FILE...: Kafka's DumpLogSegments over segment and index files. With no option it iterates deeply
# over the records, compares every index entry with its log, and checks the indexes themselves. Fails when the tool
# finds fault; what it says about records ("| ...") is not searched, as payloads may contain anything.
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
out=$(mktemp)
trap 'rm -f "$out"' EXIT

dump() {
    java -Xmx1G -Dlog4j2.level=ERROR -cp "$clients/kafka-tools/lib/*" org.apache.kafka.tools.DumpLogSegments \
        "$@" --files "$files" >"$out" 2>&1 || { cat "$out"; exit 1; }
    cat "$out"
    if grep -v '^|' "$out" | grep -E -i -q 'mismatch|non-consecutive|isvalid: false|invalid|corrupt|exception|error'; then
        echo "dump.sh: the tool found fault, see above" >&2
        exit 1
    fi
}

if test -n "$options"; then
    # shellcheck disable=SC2086
    dump $options
else
    dump --deep-iteration
    indexes=$(echo "$files" | tr , '\n' | grep -v '\.log$' | paste -s -d , -)
    if test -n "$indexes"; then
        files=$indexes
        dump --index-sanity-check
    fi
fi
