#!/usr/bin/env python3
"""Two incidents on a real server, as Prometheus sees them: `just pictures`.

A server on PostgreSQL works for some clients, and a real Prometheus scrapes it with the rules of
deploy/prometheus. First the disk that PostgreSQL writes to is made slow, until the alert fires that
creates are; then a projector is stopped, until the alert fires that it stands. What somebody on call
would look at is asked for while it happens, and written down as it was answered. draw.py makes the
pictures of the runbook from what this leaves behind.

Needs root, for the slow disk: a control group limits what PostgreSQL may write.
"""

import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
THROTTLE = pathlib.Path("/sys/fs/cgroup/blkio/wallex-incident")
# What a disk does that is at its limit; a healthy one does thousands.
WRITES_PER_SECOND = 25
QUIET_SECONDS = 420
RECOVERY_SECONDS = 420
# How long an alert is waited for: the longest needs its five minutes, and the window before them.
ALERT_SECONDS_MAX = 1200
STEP_SECONDS = 15
# Four scrapes, as Grafana's $__rate_interval.
RATE_INTERVAL = "30s"
SCRAPE_SECONDS = 5


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Clients:
    """Clients that create wallets, move money and read, each at a rate of its own."""

    def __init__(self, port):
        self.port = port
        self.end = threading.Event()
        self.threads = []
        self.wallets = 0

    def start(self):
        for name, count, every in (
            ("create", 20, 1.0),
            ("credit", 10, 1.0),
            ("debit", 5, 1.0),
            ("transfer", 5, 1.0),
            ("read", 10, 0.5),
            ("probe", 1, 1.0),
        ):
            for n in range(count):
                wait = every * n / count
                thread = threading.Thread(target=self.work, args=(name, n, every, wait), daemon=True)
                thread.start()
                self.threads.append(thread)

    def work(self, name, number, every, wait):
        connection = None
        due = time.monotonic() + wait
        turn = 0
        while not self.end.wait(max(0.0, due - time.monotonic())):
            due = max(due + every, time.monotonic() - every)
            turn += 1
            try:
                connection = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
                for method, path, body, key in self.requests(name, number, turn):
                    headers = {"Content-Type": "application/json"} if body else {}
                    if key:
                        headers["Idempotency-Key"] = key
                    connection.request(method, path, json.dumps(body) if body else None, headers)
                    connection.getresponse().read()
            except OSError:
                connection = None

    def requests(self, name, number, turn):
        mine = f"{name}-{number}"
        if name == "create":
            wallet = f"wallet-{number}-{turn}"
            body = {"walletId": wallet, "ownerId": f"owner-{number}", "initialBalance": 1000}
            create = ("POST", "/wallets", body, wallet)
            # Now and then an answer is lost, and a client asks again.
            return [create] * (2 if turn % 10 == 0 else 1)
        other = f"wallet-{number}-{max(1, turn - 5)}"
        if name == "transfer":
            body = {"toWalletId": f"wallet-{number + 1}-{max(1, turn - 5)}", "amount": 1}
            return [("POST", f"/wallets/{other}/transfer", body, f"{mine}-{turn}")]
        if name in ("credit", "debit"):
            return [("POST", f"/wallets/{other}/{name}", {"amount": 1}, f"{mine}-{turn}")]
        if name == "read":
            tail = "/ledger" if turn % 5 == 0 else ""
            return [("GET", f"/wallets/{other}{tail}", None, None)]
        return [("GET", "/readyz", None, None)]


class Prometheus:
    def __init__(self, folder, target):
        rules = ROOT / "deploy/prometheus"
        config = folder / "prometheus.yml"
        config.write_text(
            f"global: {{scrape_interval: {SCRAPE_SECONDS}s, evaluation_interval: {SCRAPE_SECONDS}s}}\n"
            f"rule_files: [{rules}/wallex.recording.yml, {rules}/wallex.alerts.yml]\n"
            f'scrape_configs: [{{job_name: wallex, static_configs: [{{targets: ["127.0.0.1:{target}"]}}]}}]\n'
        )
        shutil.rmtree(folder / "prometheus", ignore_errors=True)
        self.port = free_port()
        self.child = subprocess.Popen(
            ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder}/prometheus",
             f"--web.listen-address=127.0.0.1:{self.port}"],
            stdout=subprocess.DEVNULL, stderr=open(folder / "prometheus.log", "w"),
        )

    def get(self, path, **arguments):
        url = f"http://127.0.0.1:{self.port}{path}?{urllib.parse.urlencode(arguments)}"
        with urllib.request.urlopen(url, timeout=30) as answer:
            return json.load(answer)["data"]

    def now(self, query):
        return self.get("/api/v1/query", query=query)["result"]

    def over(self, query, start, end):
        return self.get("/api/v1/query_range", query=query, start=start, end=end, step=STEP_SECONDS)["result"]

    def firing(self):
        alerts = self.get("/api/v1/alerts")["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}


def filled_in(query):
    for name, value in (("$__rate_interval", RATE_INTERVAL), ("$namespace", ".*"), ("$instance", ".*")):
        query = query.replace(name, value)
    return query


class Diary:
    """What happened when, and what was asked and answered."""

    def __init__(self):
        self.events, self.looks = [], []

    def note(self, what):
        self.events.append({"at": time.time(), "what": what})
        print(time.strftime("%H:%M:%S"), what, flush=True)

    def look(self, when, asked, answered):
        self.looks.append({"at": time.time(), "when": when, "asked": asked, "answered": answered})
        print(f"  [{when}] {asked}\n    " + answered.replace("\n", "\n    "), flush=True)


def wait_for_alert(prometheus, diary, name):
    began = time.time()
    seen = set()
    while time.time() - began < ALERT_SECONDS_MAX:
        firing = prometheus.firing()
        for alert in sorted(firing - seen):
            diary.note(f"{alert} fires")
        seen |= firing
        if name in seen:
            return
        time.sleep(SCRAPE_SECONDS)
    sys.exit(f"{name} did not fire")


def family(parent):
    found = [parent]
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            behind = stat.read_text().rsplit(")", 1)[1].split()
        except (OSError, IndexError):
            continue
        if behind[1] == str(parent):
            found.append(int(stat.parent.name))
    return found


class SlowDisk:
    def __init__(self, psql):
        self.folder = pathlib.Path(psql("SHOW data_directory").strip())
        self.postmaster = int((self.folder / "postmaster.pid").read_text().split()[0])

    def begin(self):
        THROTTLE.mkdir(exist_ok=True)
        device = os.stat(self.folder).st_dev
        limit = f"{os.major(device)}:{os.minor(device)} {WRITES_PER_SECOND}"
        (THROTTLE / "blkio.throttle.write_iops_device").write_text(limit)
        for process in family(self.postmaster):
            self.add(process)

    @staticmethod
    def add(process):
        try:
            (THROTTLE / "cgroup.procs").write_text(str(process))
        except OSError:
            pass

    @staticmethod
    def end():
        if THROTTLE.exists():
            for process in (THROTTLE / "cgroup.procs").read_text().split():
                try:
                    (THROTTLE.parent / "cgroup.procs").write_text(process)
                except OSError:
                    pass
            THROTTLE.rmdir()


LOOKS = {
    "alerts": 'ALERTS{alertstate="firing"}',
    "p95 of a create, ms": "job:wallet_create_duration_ms:p95_5m",
    "commands in the queue": "wallex_lane_queue_depth",
    "p95 of the wait in the queue, s": "instance:wallex_lane_wait_seconds:p95_5m",
    "p95 of a commit, s": "instance:wallex_lane_commit_duration_seconds:p95_5m",
    "commands in a batch": "rate(wallex_lane_batch_units_sum[1m]) / rate(wallex_lane_batch_units_count[1m])",
    "commits a second": "rate(wallex_lane_commit_duration_seconds_count[1m])",
    "conflicts a second": "rate(wallex_lane_conflicts_total[5m])",
    "retries a second": "rate(wallex_lane_retries_total[5m])",
    "creates a second": "rate(wallet_create_duration_ms_count[1m])",
    "p95 of GET /wallets/{id}, s": 'histogram_quantile(0.95, sum by (le) (rate(wallex_http_request_duration_seconds_bucket{route="/wallets/{id}",method="GET"}[5m])))',
    "processor of the server, cores": "rate(process_cpu_seconds_total[1m])",
    "p95 of a projector's batch, s": "histogram_quantile(0.95, sum by (le, projector) (rate(wallex_projector_batch_duration_seconds_bucket[5m])))",
    "lag, events": "wallex_projector_lag_events",
    "lag, age": "job:outbox_lag_age_seconds:max",
    "applied a second": "job_projector:wallex_projector_events:rate5m",
    "share of failing batches": "job_projector:projector_errors:ratio_rate5m",
}
WAITS = """SELECT coalesce(wait_event_type || '/' || wait_event, 'at work') AS waits_for, count(*)
FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() GROUP BY 1 ORDER BY 2 DESC"""


def look_at_all(diary, prometheus, when):
    for name, query in LOOKS.items():
        lines = []
        for sample in prometheus.now(query):
            labels = {k: v for k, v in sample["metric"].items() if k not in ("job", "instance", "__name__")}
            lines.append(f"{json.dumps(labels)} {float(sample['value'][1]):.4g}")
        diary.look(when, f"{name}: {query}", "\n".join(lines) or "nothing")


def main():
    programs, folder = (pathlib.Path(argument) for argument in sys.argv[1:3])
    folder.mkdir(parents=True, exist_ok=True)
    admin = os.environ["WALLEX_TEST_POSTGRES_URL"]
    database = admin.rsplit("/", 1)[0] + "/wallex_incident"
    diary = Diary()

    def psql(statement, url=database, *arguments):
        done = subprocess.run(["psql", url, "-XAtqc", statement, *arguments], capture_output=True, text=True, check=True)
        return done.stdout

    def wallex(*words):
        done = subprocess.run([programs / "wallex", *words], capture_output=True, text=True, env=environment)
        return (done.stdout + done.stderr).rstrip()

    psql("DROP DATABASE IF EXISTS wallex_incident", admin)
    psql("CREATE DATABASE wallex_incident", admin)
    port = free_port()
    environment = {"PATH": os.environ["PATH"], "DATABASE_URL": database, "WALLEX_LISTEN": f"127.0.0.1:{port}"}
    server = subprocess.Popen(
        [programs / "wallex"], env=environment, cwd=folder,
        stdout=open(folder / "server.log", "w"), stderr=subprocess.STDOUT,
    )
    prometheus = Prometheus(folder, port)
    clients = Clients(port)
    disk = SlowDisk(psql)

    def fsync(when):
        # Where PostgreSQL writes, and under the same limit as it.
        asked = "dd if=/dev/zero of=how-fast bs=8k count=100 oflag=dsync"
        child = subprocess.Popen(asked.split(), stderr=subprocess.PIPE, text=True, cwd=disk.folder)
        if THROTTLE.exists():
            SlowDisk.add(child.pid)
        answered = child.communicate(timeout=120)[1]
        diary.look(when, asked, answered.splitlines()[-1])
        (disk.folder / "how-fast").unlink()

    def waits(when):
        seen = {}
        for _ in range(20):
            for line in psql(WAITS).splitlines():
                name, count = line.rsplit("|", 1)
                seen[name] = seen.get(name, 0) + int(count)
            time.sleep(0.25)
        lines = [f"{name} {count}" for name, count in sorted(seen.items(), key=lambda item: -item[1])]
        diary.look(when, f"20 times: {WAITS}", "\n".join(lines) or "nobody waits")

    try:
        time.sleep(5)
        began = time.time()
        diary.note("clients begin")
        clients.start()
        time.sleep(QUIET_SECONDS)
        look_at_all(diary, prometheus, "before")
        waits("before")
        fsync("before")

        diary.note("the disk becomes slow")
        disk.begin()
        wait_for_alert(prometheus, diary, "WallexCreateSlow")
        look_at_all(diary, prometheus, "slow disk")
        waits("slow disk")
        fsync("slow disk")
        diary.look("slow disk", "wallex projectors list", wallex("projectors", "list"))
        time.sleep(60)
        disk.end()
        diary.note("the disk is fast again")
        time.sleep(RECOVERY_SECONDS)
        look_at_all(diary, prometheus, "after the disk")
        diary.note("nothing fires" if not prometheus.firing() else f"firing: {prometheus.firing()}")

        diary.note("somebody stops the ledger")
        diary.look("stop", "wallex projectors stop ledger", wallex("projectors", "stop", "ledger"))
        wait_for_alert(prometheus, diary, "WallexProjectorStalled")
        look_at_all(diary, prometheus, "stopped")
        diary.look("stopped", "wallex projectors list", wallex("projectors", "list"))
        diary.look("stopped", "wallex audit --limit 3", wallex("audit", "--limit", "3"))
        diary.look("stopped", "wallex projectors start ledger", wallex("projectors", "start", "ledger"))
        diary.note("the ledger runs again")
        time.sleep(90)
        diary.look("started", "wallex projectors list", wallex("projectors", "list"))
        time.sleep(90)
        diary.look("end", "wallex drift", wallex("drift"))
        ended = time.time()
        diary.note("the end")

        panels = {}
        for board in sorted((ROOT / "deploy/grafana/dashboards").glob("*.json")):
            for panel in json.loads(board.read_text())["panels"]:
                for target in panel.get("targets", []):
                    query = filled_in(target["expr"])
                    panels[target["expr"]] = prometheus.over(query, began, ended)
        for recorded in ("job:wallet_create_duration_ms:p95_5m", "ALERTS"):
            panels[recorded] = prometheus.over(recorded, began, ended)
        data = {"start": began, "end": ended, "step": STEP_SECONDS, "panels": panels,
                "events": diary.events, "looks": diary.looks}
        (folder / "incident.json").write_text(json.dumps(data))
    finally:
        clients.end.set()
        disk.end()
        server.send_signal(signal.SIGTERM)
        prometheus.child.terminate()
        server.wait(30)
        prometheus.child.wait(30)


if __name__ == "__main__":
    main()
