#!/bin/sh
# start.sh PORT DIR: runs Apache Kafka as one KRaft node (broker and controller) on 127.0.0.1:PORT with its data in
# DIR, formatted on first use, and returns when it answers. Further arguments are key=value lines for its configuration.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
clients=${MILENA_CLIENTS_DIR:-$(cd "$here/../.." && pwd)/.clients}
port=$1
dir=$2
shift 2
lib="$clients/kafka/lib"
test -d "$lib" || { echo "no Apache Kafka in $clients: run tests/reference/setup.sh" >&2; exit 1; }
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
config="$dir/server.properties"

if ! test -f "$config"; then
    controller=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    cat >"$config" <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAINTEXT://127.0.0.1:$port
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$dir/data
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
PROPERTIES
    for line in "$@"; do echo "$line" >>"$config"; done
    java -Xmx128m -XX:TieredStopAtLevel=1 -Dlog4j2.level=ERROR -cp "$lib/*" kafka.tools.StorageTool format \
        --cluster-id AAAAAAAAQACAAAAAAAAAAQ --config "$config" >"$dir/format.log" 2>&1
fi

# The heap and collector settings are those of Kafka's own start script.
# shellcheck disable=SC2086
nohup java ${KAFKA_HEAP_OPTS:--Xmx1G -Xms1G} -server -XX:+UseG1GC -XX:MaxGCPauseMillis=20 \
    -XX:InitiatingHeapOccupancyPercent=35 -XX:+ExplicitGCInvokesConcurrent -Djava.awt.headless=true \
    -Dlog4j2.level=WARN -cp "$lib/*" kafka.Kafka "$config" >>"$dir/server.log" 2>&1 </dev/null &
pid=$!
echo "$pid" >"$dir/pid"

exec python3 - "$port" "$pid" "$dir/server.log" <<'WAIT'
import os, socket, sys, time

port, pid, log = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
deadline = time.monotonic() + 60
while time.monotonic() < deadline:
    try:
        os.kill(pid, 0)
        socket.create_connection(("127.0.0.1", port), 1).close()
        sys.exit(0)
    except ProcessLookupError:
        break
    except OSError:
        time.sleep(0.1)
sys.exit(f"Apache Kafka did not start on port {port}; see {log}")
WAIT
