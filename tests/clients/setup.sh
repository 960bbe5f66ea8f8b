#!/bin/sh
# Installs every client, at the versions pinned here, into .clients/ and builds the drivers. What is there already is
# kept. A client that cannot be installed is named at the end, and the others are installed all the same.
set -u
here=$(cd "$(dirname "$0")" && pwd)
clients=${MILENA_CLIENTS_DIR:-$(cd "$here/../.." && pwd)/.clients}
mkdir -p "$clients"
missing=

# install NAME STEP FILE...: runs STEP unless it succeeded before with the same FILEs.
install() {
    name=$1 step=$2
    shift 2
    sum=$(cat "$@" | sha256sum)
    if test "$(cat "$clients/$name/installed" 2>/dev/null)" = "$sum"; then return; fi
    echo "setting up $name"
    mkdir -p "$clients/$name"
    if $step; then echo "$sum" >"$clients/$name/installed"; else missing="$missing $name"; fi
}

# debian PACKAGE COMMAND: a Debian package for a command, or for a module of Python, that is not there.
debian() {
    command -v "$2" >/dev/null || python3 -c "import $2" 2>/dev/null && return
    if test "$(id -u)" = 0 && command -v apt-get >/dev/null; then
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$1" && return
    fi
    missing="$missing $1(Debian package)"
}

python_clients() {
    python3 -m venv "$clients/python" &&
        "$clients/python/bin/pip" install -q --disable-pip-version-check -r "$here/python/requirements.txt"
}

node_client() {
    cp "$here/node/package.json" "$here/node/package-lock.json" "$clients/node/" &&
        (cd "$clients/node" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
}

java_client() {
    rm -rf "$clients/java/lib" "$clients/java/classes"
    mkdir -p "$clients/java/classes"
    mvn -q -B -Dstyle.color=never -f "$here/java/pom.xml" dependency:copy-dependencies -DoutputDirectory="$clients/java/lib" &&
        javac -cp "$clients/java/lib/*" -d "$clients/java/classes" "$here"/java/*.java "$here/golden/Tour.java"
}

go_client() {
    (cd "$here/go" && go build -buildvcs=false -o "$clients/go/driver" .)
}

debian python3-venv ensurepip
install python python_clients "$here/python/requirements.txt"
install node node_client "$here/node/package.json" "$here/node/package-lock.json"
install java java_client "$here/java/pom.xml" "$here"/java/*.java "$here/golden/Tour.java"
install go go_client "$here/go/go.mod" "$here/go/go.sum" "$here/go/main.go"
debian kcat kcat

if test -n "$missing"; then
    echo "not set up:$missing" >&2
    exit 1
fi
