#!/bin/sh
# Fetches Apache Kafka (broker and tools) by Maven into .clients/; does nothing when that was done for these versions.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
clients=${MILENA_CLIENTS_DIR:-$(cd "$here/../.." && pwd)/.clients}

fetch() { # project folder, name
    target="$clients/$2"
    if cmp -s "$1/pom.xml" "$target/pom.xml"; then return; fi
    rm -rf "$target"
    mkdir -p "$target"
    mvn -q -B -Dstyle.color=never -f "$1/pom.xml" dependency:copy-dependencies -DoutputDirectory="$target/lib"
    cp "$1/pom.xml" "$target/pom.xml"
}

fetch "$here" kafka
fetch "$here/tools" kafka-tools
fetch "$here/configs" kafka-configs
