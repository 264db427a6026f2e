#!/bin/sh
# Lists what tests, demo and benchmarks start and take down again: engines,
# registries, servers, and the networks of test fleets (package test/fleet).
# When nothing of the kind runs it lists nothing.
#
#   sh tools/leftovers.sh
set -eu

# ours tells whether a process was started by a fleet or in one of its
# containers, is a prewarm, or belongs to an Airflow of the tests.
ours() {
	[ "$2" = prewarm ] ||
		tr '\0' '\n' <"$1/environ" | grep -qE '^PREWARM_(FLEET|AIRFLOW)=' ||
		grep -q ':/prewarm-' "$1/cgroup"
}

for dir in /proc/[0-9]*; do
	# A process may end while it is looked at; a zombie has.
	name=$(cat "$dir/comm" 2>/dev/null) || continue
	grep -q '^State:[[:space:]]*Z' "$dir/status" 2>/dev/null && continue
	if ours "$dir" "$name" 2>/dev/null; then
		echo "process ${dir#/proc/} $name"
	fi
done
for entry in /run/netns/pw* /sys/class/net/pw*; do
	case ${entry##*/} in
	pw[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]*) echo "network $entry" ;;
	esac
done
