set shell := ["bash", "-euo", "pipefail", "-c"]

# Where cargo builds, as this file's own programs need to know it.
target := env("CARGO_TARGET_DIR", justfile_directory() / "target")
# A private PostgreSQL for one command, or the server of WALLEX_TEST_POSTGRES_URL.
with_postgres := target / "debug/with-postgres"
venv := target / "schemathesis"
# What npm installs for the tests in a browser.
browser_tests := target / "browser-tests"
# Without a sanitizer a stable compiler will do: there is no unsafe code of ours to sanitize. With
# nightly, FUZZ_TOOLCHAIN=+nightly and FUZZ_SANITIZER=address look at the dependencies, too.
cargo_fuzz := "cargo " + env("FUZZ_TOOLCHAIN", "") + " fuzz"
fuzz_options := "--sanitizer " + env("FUZZ_SANITIZER", "none") + " --target-dir " + quote(target / "fuzz")
fuzz_found := target / "fuzz/found"
# Tools that look at deploy/, and Prometheus' own programs.
deploy_venv := target / "deploy-check"
prometheus := target / "prometheus"

[private]
default:
    @just --list --unsorted

# Run the server from the sources, on http://127.0.0.1:8080 and ./wallex.db.
run *ARGS:
    cargo run --release -- {{ARGS}}

# Everything that CI runs: format, lints, docs, doc tests, dependencies, and all tests on both databases.
test: _nextest
    #!/usr/bin/env bash
    set -euo pipefail
    # What a stage may take, in minutes, on 2 cores with nothing built yet. Their sum and that of
    # .ci/run's own tools stay under 45.
    declare -A budget=(
        [format]=1 [lints]=4 [build]=6 [docs]=2 [doc-tests]=1 [dependencies]=1 [schemathesis]=3 [chaos]=5
        [browser]=4 [tests]=9
    )
    declare -a took=() wrong=()

    # Every stage runs, whatever became of the others: one run tells all that is wrong.
    stage() {
        local name=$1 began=$SECONDS status=0
        shift
        printf '\n== %s: %s\n' "$name" "$*"
        "$@" || status=$?
        local seconds=$((SECONDS - began)) limit=$((budget[$name] * 60)) verdict=passed
        if ((status != 0)); then
            verdict="FAILED ($status)"
        elif ((seconds > limit)); then
            # Said, not failed: a machine that is busy elsewhere proves nothing about the change.
            verdict="passed, OVER ITS BUDGET"
        fi
        ((status == 0)) || wrong+=("$name")
        took+=("$(printf '%-14s %5d s of %4d s   %s' "$name" "$seconds" "$limit" "$verdict")")
    }

    output=$(mktemp) chaos_output=$(mktemp)
    trap 'rm -f "$output" "$chaos_output"' EXIT
    [[ -t 1 ]] && export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-always}
    all_tests() {
        {{quote(with_postgres)}} -- cargo nextest run --workspace --no-fail-fast 2>&1 | tee "$output"
    }

    chaos_quick() {
        {{quote(target / "debug/wallex-chaos")}} matrix --quick 2>&1 | tee "$chaos_output"
    }

    # Where they can't be had, what they check is left out, and that is said at the end.
    just prometheus || export WALLEX_TEST_WITHOUT_PROMETHEUS=true

    stage format cargo fmt --all --check
    stage lints cargo clippy --workspace --all-targets -- -D warnings
    stage build cargo build --workspace --all-targets
    stage docs env RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps
    stage doc-tests cargo test --workspace --doc
    stage dependencies just _dependencies
    # .ci/run asks for it where schemathesis could be installed.
    [[ -z ${WALLEX_TEST_SCHEMATHESIS:-} ]] || stage schemathesis just _run_schemathesis
    # .ci/run asks for it: every row of the matrix of faults that this machine can run.
    [[ -z ${WALLEX_TEST_CHAOS:-} ]] || stage chaos chaos_quick
    # .ci/run asks for it where Node and Chromium are.
    [[ -z ${WALLEX_TEST_BROWSER:-} ]] || stage browser just _run_browser
    stage tests all_tests

    printf '\n== what each stage took\n'
    printf '%s\n' "${took[@]}"
    if ((${#wrong[@]} > 0)); then
        printf '\nFAILED: %s\n' "${wrong[*]}"
    else
        printf '\nEvery stage passed; the tests:\n'
    fi
    grep -h 'NOT RUN' "$chaos_output" || true
    [[ -z ${WALLEX_TEST_WITHOUT_PROMETHEUS:-} ]] \
        || echo "without Prometheus: rules, dashboards and the page of metrics were NOT held against it"
    # The runner's own summary comes last.
    sed -n '/Summary/,$p' "$output"
    ((${#wrong[@]} == 0))

# What a change should pass before it is shown: format, lints, and the tests that need neither a server nor PostgreSQL.
check: _nextest
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    cargo nextest run --workspace --exclude wallex-tests --exclude wallex-testkit --exclude wallex-bench -E 'not test(postgres)'

# Format the sources.
fmt:
    cargo fmt --all

# The tests whose names hold FILTER (all without one), on both databases.
test-quick FILTER="": _nextest
    #!/usr/bin/env bash
    set -euo pipefail
    just prometheus || export WALLEX_TEST_WITHOUT_PROMETHEUS=true
    cargo build --workspace --all-targets
    {{quote(with_postgres)}} -- cargo nextest run --workspace {{quote(FILTER)}}

# Run a command with a private PostgreSQL under $WALLEX_TEST_POSTGRES_URL: `just postgres psql`, for one.
postgres +COMMAND:
    cargo build -p wallex-testkit --bin with-postgres
    {{quote(with_postgres)}} -- {{COMMAND}}

# Run a command with a real server under $WALLEX_URL, and a key for it in $WALLEX_KEY, on a fresh `sqlite` or `postgres` database.
server DATABASE +COMMAND:
    cargo build --workspace --bins
    {{quote(target / "debug/with-server")}} {{quote(DATABASE)}} -- {{COMMAND}}

# Use the console in a real browser, against a real server on PostgreSQL: all tests, or those of FILES (needs Node and Chromium).
test-browser *FILES: _browser
    cargo build --workspace --bins
    just _run_browser {{FILES}}

# Take the pictures of docs/console after a quarter of an hour of traffic.
console-pictures: _browser
    cargo build --workspace --bins
    WALLEX_BROWSER_MODULES={{quote(browser_tests)}} WALLEX_PICTURES=docs/console {{quote(with_postgres)}} -- node tests/browser/console-pictures.mjs

# Fuzz the API along its OpenAPI description, on both databases (needs Python and PyPI).
schemathesis *ARGS: _schemathesis
    #!/usr/bin/env bash
    set -euo pipefail
    cargo build --workspace --bins
    just _run_schemathesis {{ARGS}}

# Look for inputs that break a promise, for SECONDS in each of TARGETS (all without any); libFuzzer's.
fuzz SECONDS="60" *TARGETS: _cargo_fuzz
    #!/usr/bin/env bash
    set -euo pipefail
    cp Cargo.lock fuzz/Cargo.lock
    targets=({{TARGETS}})
    ((${#targets[@]} > 0)) || mapfile -t targets < <(cargo fuzz list)
    for target in "${targets[@]}"; do
        printf '\n== %s\n' "$target"
        # What is new goes to the first folder; `just fuzz-keep` takes over what is worth keeping.
        mkdir -p {{quote(fuzz_found)}}/"$target"
        {{cargo_fuzz}} run {{fuzz_options}} "$target" {{quote(fuzz_found)}}/"$target" "fuzz/corpus/$target" -- \
            -max_total_time={{SECONDS}} -timeout=10 -print_final_stats=1
    done

# Keep of what `just fuzz` found the few inputs that reach code which the corpus does not reach yet.
fuzz-keep *TARGETS: _cargo_fuzz
    #!/usr/bin/env bash
    set -euo pipefail
    targets=({{TARGETS}})
    ((${#targets[@]} > 0)) || mapfile -t targets < <(cargo fuzz list)
    for target in "${targets[@]}"; do
        found={{quote(fuzz_found)}}/$target
        [[ -d $found ]] || continue
        {{cargo_fuzz}} run {{fuzz_options}} "$target" "fuzz/corpus/$target" "$found" -- -set_cover_merge=1
    done

# Simulate the command lane and the projectors over a faulty store: 100,000 seeds on all processors, or as ARGS say.
simulate *ARGS:
    cargo run --release -p wallex-simulation -- {{ if ARGS == "" { "--seeds 100000" } else { ARGS } }}

# Measure everything beside plain SQL on this machine (about an hour); without ARGS it writes docs/BENCHMARKS.md.
bench *ARGS:
    cargo run --release -p wallex-bench -- {{ if ARGS == "" { "--markdown docs/BENCHMARKS.md --charts docs/benchmarks" } else { ARGS } }}

# A first impression of the same: prints the targets, and writes nothing.
bench-quick *ARGS:
    cargo run --release -p wallex-bench -- --quick {{ARGS}}

# Break CRATE in every way that cargo-mutants knows, one at a time, and list what no test of it notices.
mutants CRATE="wallex-domain" *ARGS: _nextest
    #!/usr/bin/env bash
    set -euo pipefail
    cargo mutants --version >/dev/null 2>&1 || cargo install cargo-mutants --locked
    cargo build -p wallex-testkit --bins
    # The parts of a transaction are tested where they are put together.
    tests=({{quote(CRATE)}})
    case {{quote(CRATE)}} in
        wallex-idempotency | wallex-outbox | wallex-postgres-eventstore) tests+=(wallex-unit-of-work) ;;
    esac
    # What is built stays from run to run, and has nothing for a debugger: that is most of the time.
    export CARGO_TARGET_DIR={{quote(target / "mutants")}} CARGO_PROFILE_DEV_DEBUG=none
    mkdir -p {{quote(target / "mutants" / CRATE)}}
    {{quote(with_postgres)}} -- cargo mutants --package {{quote(CRATE)}} "${tests[@]/#/--test-package=}" \
        --output {{quote(target / "mutants" / CRATE)}} --jobs 1 {{ARGS}}

# Look the dependencies up in the database of known vulnerabilities, and for yanked versions (needs the network).
advisories:
    #!/usr/bin/env bash
    set -euo pipefail
    database=https://github.com/RustSec/advisory-db
    if ! timeout 30 git ls-remote --exit-code "$database" HEAD >/dev/null 2>&1; then
        echo "$database can't be reached: the dependencies were NOT looked up for advisories"
        exit
    fi
    checked=false
    if cargo deny --version >/dev/null 2>&1; then
        cargo deny check advisories
        checked=true
    fi
    if cargo audit --version >/dev/null 2>&1; then
        cargo audit --deny yanked
        checked=true
    fi
    if [[ $checked == false ]]; then
        echo "neither cargo-deny nor cargo-audit is installed (cargo install cargo-deny --locked):"
        echo "the dependencies were NOT looked up for advisories"
    fi

# Check all of deploy/ with what there is for it: Dockerfile, compose file, chart, unit, rules (needs Python and PyPI).
deploy-check: prometheus
    #!/usr/bin/env bash
    set -euo pipefail
    [[ -x {{quote(deploy_venv)}}/bin/pip ]] || python3 -m venv --clear {{quote(deploy_venv)}}
    {{quote(deploy_venv)}}/bin/pip install --quiet --requirement deploy/check-requirements.txt
    export PATH={{quote(prometheus / "usr/bin")}}:$PATH

    printf '== Dockerfile\n'
    {{quote(deploy_venv)}}/bin/hadolint deploy/Dockerfile
    printf '== compose file and chart\n'
    {{quote(deploy_venv)}}/bin/python -B deploy/check.py
    if docker compose version >/dev/null 2>&1; then
        docker compose --file deploy/compose.yaml config --quiet
    else
        echo "docker compose is not installed: its own opinion of the compose file was NOT heard"
    fi
    printf '== shell\n'
    {{quote(deploy_venv)}}/bin/shellcheck deploy/*.sh .ci/run
    printf '== rules\n'
    (cd deploy/prometheus && promtool check rules wallex.recording.yml wallex.alerts.yml \
        && promtool test rules wallex.alerts_test.yml)
    printf '== unit\n'
    if command -v systemd-analyze >/dev/null; then
        # As it is, but for the binary and the page, which are not installed here.
        unit=$(mktemp -d)/wallex.service
        trap 'rm -r "$(dirname "$unit")"' EXIT
        sed 's|^ExecStart=/usr/local/bin/wallex|ExecStart=/bin/true|' deploy/systemd/wallex.service >"$unit"
        systemd-analyze verify --man=no "$unit"
        # Of 10 tenths that each unit begins with, at most 2 are left.
        systemd-analyze security --offline=true --threshold=20 --no-pager "$unit" | tail -n 1
        systemd-sysusers --dry-run "$PWD/deploy/systemd/wallex.sysusers.conf"
    else
        echo "systemd is not installed: the unit was NOT checked"
    fi

# Put Prometheus' programs into the target folder, where the tests look for them; nothing is installed on the system.
prometheus:
    #!/usr/bin/env bash
    set -euo pipefail
    command -v promtool >/dev/null && command -v prometheus >/dev/null && exit
    [[ -x {{quote(prometheus)}}/usr/bin/promtool ]] && exit
    if ! command -v apt-get >/dev/null; then
        echo "Prometheus was not found. Install it, so that prometheus and promtool are on the PATH:"
        echo "    brew install prometheus, dnf install golang-github-prometheus, apk add prometheus"
        exit 1
    fi
    mkdir -p {{quote(prometheus)}}
    cd {{quote(prometheus)}}
    # The lists of a fresh machine are empty, and only root may fetch them.
    apt-get download prometheus 2>/dev/null || { apt-get update && apt-get download prometheus; }
    # Unpacked and not installed: no service starts.
    dpkg-deb --extract prometheus_*.deb .
    usr/bin/promtool --version | head -n 1

# Break what Wallex stands on, under load, and check every answer (root); writes docs/RELIABILITY.md.
chaos *ARGS:
    cargo build --release -p wallex -p wallex-chaos
    cargo build -p wallex
    WALLEX_CHAOS_MIGRATOR={{quote(target / "debug/wallex")}} {{quote(target / "release/wallex-chaos")}} matrix {{ if ARGS == "" { "--markdown docs/RELIABILITY.md" } else { ARGS } }}

# Every row of the same once, small, with the debug binaries.
chaos-quick *ARGS:
    cargo build --workspace --bins
    {{quote(target / "debug/wallex-chaos")}} matrix --quick {{ARGS}}

# Plant one defect after the other: the checker must catch each.
chaos-bugs *ARGS:
    cargo build --workspace --bins
    {{quote(target / "debug/wallex-chaos")}} bugs {{ARGS}}

# Have both incidents of docs/RUNBOOK.md again, with a real Prometheus, and draw docs/pictures from them (root; half an hour).
pictures: prometheus
    #!/usr/bin/env bash
    set -euo pipefail
    cargo build --workspace --bins
    export PATH={{quote(prometheus / "usr/bin")}}:$PATH
    {{quote(with_postgres)}} --fsync -- python3 -B docs/pictures/incident.py {{quote(target / "debug")}} {{quote(target / "pictures")}}
    python3 -B docs/pictures/draw.py {{quote(target / "pictures/incident.json")}}

# Build the documentation of all crates and open it.
docs:
    cargo doc --workspace --no-deps --open

[private]
_nextest:
    @cargo nextest --version >/dev/null 2>&1 || cargo install cargo-nextest --locked

[private]
_dependencies:
    #!/usr/bin/env bash
    set -euo pipefail
    if ! cargo deny --version >/dev/null 2>&1; then
        echo "cargo-deny is not installed (cargo install cargo-deny --locked): it did NOT run."
        echo "Licences, bans and sources are held by a test; advisories were NOT checked."
        exit
    fi
    cargo deny --offline check licenses bans sources
    # .ci/run asks for it. Advisories change by themselves: at a desk they would fail a change that
    # did nothing wrong.
    [[ -z ${WALLEX_TEST_ADVISORIES:-} ]] || just advisories

[private]
_schemathesis:
    #!/usr/bin/env bash
    set -euo pipefail
    [[ -x {{quote(venv)}}/bin/schemathesis ]] && exit
    python3 -m venv {{quote(venv)}}
    {{quote(venv)}}/bin/pip install --quiet 'schemathesis==4.32.5'

[private]
_browser:
    #!/usr/bin/env bash
    set -euo pipefail
    node -e 'process.exit(process.versions.node.split(".")[0] >= 20 ? 0 : 1)' 2>/dev/null || {
        echo "The tests in a browser need Node 20 or later: https://nodejs.org, or on Debian 13 apt-get install nodejs npm" >&2
        exit 1
    }
    found=${CHROMIUM:-$(command -v chromium chromium-browser google-chrome | head -n 1 || true)}
    if [[ -z $found ]]; then
        # A machine of CI's own installs it; nobody's desk is changed without being asked.
        if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
            echo "The tests in a browser need Chromium: apt-get install chromium, or name one in CHROMIUM" >&2
            exit 1
        fi
        apt-get install --yes --no-install-recommends chromium >/dev/null \
            || { apt-get update && apt-get install --yes --no-install-recommends chromium; } >/dev/null
    fi
    mkdir -p {{quote(browser_tests)}}
    cmp -s tests/browser/package-lock.json {{quote(browser_tests)}}/node_modules/.installed && exit
    cp tests/browser/package.json tests/browser/package-lock.json {{quote(browser_tests)}}
    npm ci --prefix {{quote(browser_tests)}} --no-audit --no-fund
    cp tests/browser/package-lock.json {{quote(browser_tests)}}/node_modules/.installed

[private]
_run_browser *FILES:
    #!/usr/bin/env bash
    set -euo pipefail
    files=()
    for name in {{FILES}}; do files+=("tests/browser/$name.test.mjs"); done
    ((${#files[@]})) || files=(tests/browser/*.test.mjs)
    export WALLEX_BROWSER_MODULES={{quote(browser_tests)}} WALLEX_TEST_BINARY={{quote(target / "debug/wallex")}}
    # What the page computes, without a browser.
    node --test crates/console/assets-tests/*.test.js
    # One after the other: each has a server and a browser of its own.
    {{quote(with_postgres)}} -- node --test --test-concurrency=1 "${files[@]}"

[private]
_cargo_fuzz:
    @cargo fuzz --version >/dev/null 2>&1 || cargo install cargo-fuzz --locked

[private]
_run_schemathesis *ARGS:
    #!/usr/bin/env bash
    set -euo pipefail
    here=$PWD/tests/schemathesis
    export SCHEMATHESIS_HOOKS=$here/hooks.py PYTHONDONTWRITEBYTECODE=1
    # What has no end is left out: a stream.
    # What it notes down goes there, a folder for each database.
    cd {{quote(venv)}}
    # A server that asks who calls is called with WALLEX_KEY, and as nobody where the check of
    # ignored authentication leaves that out.
    ask='
        [ -z "${WALLEX_KEY:-}" ] || set -- "$@" --header "Authorization: Bearer $WALLEX_KEY"
        exec "$@" "$WALLEX_URL/openapi.json"
    '
    on() {
        mkdir -p "on-$1" && cd "on-$1"
        {{quote(target / "debug/with-server")}} "$1" -- \
            sh -c "$ask" sh ../bin/schemathesis --config-file "$here/schemathesis.toml" run \
            --exclude-operation-id followLive {{ARGS}}
    }
    # At once: most of the time the one waits for the other's core, and neither for its own server.
    on sqlite >on-sqlite.log 2>&1 & sqlite=$!
    on postgres >on-postgres.log 2>&1 & postgres=$!
    wrong=0
    for database in sqlite postgres; do
        wait "${!database}" || wrong=1
        printf '\n== on %s\n' "$database"
        cat "on-$database.log"
    done
    exit $wrong
