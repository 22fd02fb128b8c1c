# Owns one private PostgreSQL cluster: makes it, starts it, and removes it when its own standard
# input ends, which the kernel sees to however the process at the other end came to its end.
#
# Arguments: the folder of PostgreSQL's programs, the cluster's folder, the server's options, and
# the TCP ports to try in turn. Answers "ready <port>" or "failed" and the reason, and then takes
# "stop" (as a crash, answers "stopped") and "start" (answers "ready <port>") line by line.
set -u
bin=$1 home=$2 options=$3
shift 3
data=$home/data
log=$home/log

clean_up() {
  trap '' HUP INT TERM
  "$bin/pg_ctl" stop -D "$data" -m immediate >/dev/null 2>&1
  cd /
  rm -rf "$home"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

fail() {
  echo failed
  tail -n 30 "$log"
  exit 1
}

start() {
  "$bin/pg_ctl" start -w -t 60 -D "$data" -l "$log" -o "-p $1 $options" >>"$log" 2>&1 </dev/null
}

cd "$home" || exit 1
"$bin/initdb" -D "$data" -U wallex -A trust -E UTF8 --locale=C --no-sync >>"$log" 2>&1 </dev/null || fail
# The folder may go away under us, with its disk, and come again.
cd /
port=
for candidate in "$@"; do
  if start "$candidate"; then
    port=$candidate
    break
  fi
done
[ -n "$port" ] || fail
echo "ready $port"

while read -r command; do
  case $command in
    stop) "$bin/pg_ctl" stop -D "$data" -m immediate >>"$log" 2>&1 && echo stopped || fail ;;
    start) start "$port" && echo "ready $port" || fail ;;
  esac
done
