# What stands around the commands of a page: a shell in a folder of its own, where nothing listens and
# no file is, with `wallex` on the PATH. Arguments: the server's port, the folder of the binary.
port=$1
# Nothing of the caller's environment changes what happens.
unset DATABASE_URL RUST_LOG "${!WALLEX_@}" "${!OTEL_@}" "${!PROJECTORS_@}" "${!IDEMPOTENCY_@}"
export HOME=$PWD PATH=$2:$PATH LC_ALL=C WALLEX_LISTEN=127.0.0.1:$port
# A reader's terminal shows no progress of what takes no time.
printf 'silent\nshow-error\n' >.curlrc
server=

stop_server() {
    [ -z "$server" ] || { kill "$server" && wait "$server"; }
    server=
}

# A server holds a reader's terminal; here it goes on beside what comes next. A second one takes the
# place of the first, as it does for who has one machine and one port.
wallex() {
    case ${1:-serve} in
        serve) ;;
        *) command wallex "$@"; return ;;
    esac
    stop_server
    command wallex "$@" >>server.log 2>&1 &
    server=$!
    until curl --fail --output answer "http://127.0.0.1:$port/readyz" 2>errors; do
        kill -0 "$server" || { cat server.log; return 1; }
        sleep 0.05
    done
    rm -f answer errors
}

# The sources are built already.
cargo() {
    [ "$1 $2" = 'run --release' ] || { echo "cargo $*: not here"; return 1; }
    shift 2
    [ "${1:-}" != -- ] || shift
    wallex "$@"
}

# There is no init system here: the server is what it would start and stop.
systemctl() {
    case "$*" in
        'start wallex') wallex ;;
        'stop wallex') stop_server ;;
        'restart wallex') stop_server; wallex ;;
        *) echo "systemctl $*: not here"; return 1 ;;
    esac
}

sudo() { "$@"; }

trap stop_server EXIT
# A command of a block fails, and the page with it.
set -E
trap 'echo "$BASH_COMMAND" >>failed' ERR
