#!/bin/sh
# The demonstration's job, with the engine killed by SIGKILL at ten other moments than the demonstration's own. Each run
# checks what the demonstration checks: every valid event applied, exactly the invalid ones failed, renewals and refused
# requests within their bounds, duplicates no more than what was in flight, nothing sent with two bodies.
#
#   tests/crash/kill.sh [EVENTS] [SEED]
#
# OUTLAST names the program; without it, it is built (release) first. Exit code 0 only if all ten pass.
set -u

cd "$(dirname "$0")/../.." || exit 2
events=${1:-2000}
seed=${2:-1}
program=${OUTLAST:-}
if [ -z "$program" ]; then
    cargo build --release --quiet --bin outlast || exit 2
    program=${CARGO_TARGET_DIR:-target}/release/outlast
fi
case $program in
/*) ;;
*) program=$PWD/$program ;;
esac

work=$(mktemp -d) || exit 2
running=
trap 'test -z "$running" || kill "$running" 2>/dev/null; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
cd "$work" || exit 2

# A number of the object that the demonstration prints.
number() {
    sed -n "s/^ *\"$1\": \([0-9.]*\),*\$/\1/p" out.json
}

passed=0
failed=0
for moment in accepting 0.25 revoked refused refreshing refreshed propagating 0.9 twice recovering; do
    # In the background, so that a signal to this script is dealt with at once.
    "$program" demo --json --events "$events" --seed "$seed" --kill-at "$moment" >out.json 2>err.txt &
    running=$!
    wait "$running"
    code=$?
    running=
    if [ "$code" -eq 0 ]; then
        passed=$((passed + 1))
        verdict=pass
    else
        failed=$((failed + 1))
        verdict=FAIL
    fi
    printf '%s  kill at %-12s accepted %s, delivered %s, failed %s, refused %s, refreshes %s, duplicates %s of %s in flight, crashes %s, %s s\n' \
        "$verdict" "$moment:" "$(number accepted)" "$(number delivered)" "$(number failed)" "$(number refused)" \
        "$(number refreshes)" "$(number duplicates)" "$(number in_flight_at_kill)" "$(number crashes)" "$(number seconds)"
    if [ "$code" -ne 0 ]; then
        sed 's/^/      /' err.txt
    fi
    seed=$((seed + 1))
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
