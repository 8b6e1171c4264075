#!/bin/sh
# Writes the page for this replica and serves it until SIGTERM.
set -eu
pages=$(mktemp -d)
# Without MACHINE= only the container's own name is known here.
machine=${MACHINE:-container $(hostname)}
if [ -n "${MACHINE:-}" ]; then
  plug="Turn the machine off with <code>keel machine kill $MACHINE</code>"
else
  plug="<code>keel list-units</code> shows its machine: turn that off with <code>keel machine kill</code>"
fi
replica=${REPLICA:-1}
since=$(date -u '+%Y-%m-%d %H:%M:%S')
sed -e "s/@MACHINE@/$machine/g" -e "s/@REPLICA@/$replica/g" -e "s/@SINCE@/$since/g" -e "s|@PLUG@|$plug|g" /www/index.html >"$pages/index.html"
printf '%s\n' "$machine" >"$pages/machine.txt"
cp /www/style.css "$pages/style.css"
# The first process of a container has no default action for signals: hand SIGTERM on.
httpd -f -v -p 8080 -h "$pages" &
trap 'kill $!; exit 0' TERM INT
echo "hello: replica $replica serves on $machine"
wait
