#!/usr/bin/env bash
# A PostgreSQL cluster that lives as long as somebody holds this script's
# standard input open: it prints its URL, waits for the end of input, and is
# gone, files and all, even if whoever started it was killed. A line of input
# restarts it, as `pg_ctl` names the manner (`fast`, `immediate`), and is
# answered with a line.
set -euo pipefail
trap '' INT
# It speaks Japanese where its packages can: nothing may hang on the words that it uses.
export LANGUAGE=ja

bin=$(dirname "$(command -v initdb || ls /usr/lib/postgresql/*/bin/initdb 2>/dev/null | tail -1 || true)")
if [ ! -x "$bin/initdb" ]; then
  echo "PostgreSQL's server is missing: install the package postgresql" >&2
  exit 1
fi
home=$(mktemp -d "${TMPDIR:-/tmp}/techo-postgres.XXXXXX")
run=()
if [ "$(id -u)" = 0 ]; then # the server refuses to run as root
  id postgres >/dev/null 2>&1 || useradd --system --no-create-home postgres
  chown postgres "$home"
  run=(runuser -u postgres --)
fi
stop() {
  "${run[@]}" "$bin/pg_ctl" -D "$home/data" -m immediate stop >/dev/null 2>&1 || true
  rm -rf "$home"
}
trap stop EXIT

cd "$home"
"${run[@]}" "$bin/initdb" -D "$home/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --lc-messages=C.UTF-8 --no-sync >"$home/log" 2>&1 \
  || { cat "$home/log" >&2; exit 1; }
for _ in 1 2 3 4 5; do
  port=$((20000 + RANDOM % 10000))
  if "${run[@]}" "$bin/pg_ctl" -D "$home/data" -w -l "$home/data/log" \
    -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$home -c max_connections=300" \
    start >/dev/null 2>&1; then
    echo "postgres://postgres@127.0.0.1:$port"
    while read -r manner; do
      "${run[@]}" "$bin/pg_ctl" -D "$home/data" -w -l "$home/data/log" -m "$manner" restart </dev/null >/dev/null 2>&1
      echo "$manner"
    done
    exit 0
  fi
done
cat "$home/data/log" >&2
exit 1
