#!/bin/sh
# Makes the first API keys of deploy/compose.yaml, once: one for you, which is printed, and one for
# Prometheus. A key is shown when it is made and never again, so both are kept in files that only
# root, or whoever has the volume, can read.
set -eu

folder=/run/wallex

# make FILE NAME SCOPES
make() {
    [ ! -s "$folder/$1" ] || return 0
    # The key is the one word of the answer that begins like one.
    wallex keys create --name "$2" --scopes "$3" | grep -o 'wlx_[A-Za-z0-9_]*' | head -n 1 >"$folder/$1.new"
    [ -s "$folder/$1.new" ]
    mv "$folder/$1.new" "$folder/$1"
}

umask 077
make metrics.key prometheus metrics:read
# Prometheus runs as this user.
chown 65534:65534 "$folder/metrics.key"
make first.key first wallets:read,wallets:write,transfers:write,metrics:read,admin
# Prometheus must find its key, but not list yours.
chmod 711 "$folder"

echo "The first API key, with every scope:"
echo
echo "    $(cat "$folder/first.key")"
echo
echo "    curl http://127.0.0.1:8080/wallets/wallet-001 -H \"Authorization: Bearer \$KEY\""
