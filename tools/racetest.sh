#!/bin/sh
# go test -race, which survives a crash of the race detector itself:
#
#   sh tools/racetest.sh [flags of go test] PACKAGE...
#
# The detector of Go 1.26 sometimes dies of a check of its own under
# testing/synctest (golang/go#78156, open): "ThreadSanitizer: CHECK failed", and
# neither a race nor a test is named. That says nothing about the code, so a
# package which ended in just that way is tested again, twice at most. A package
# in which a test failed, a race was found or anything panicked is not.
set -u

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# attempt runs go test, shows what it prints, and keeps it in $log.
attempt() {
	{
		go test -race "$@" 2>&1
		echo "exit status of go test: $?"
	} | tee "$log" | grep --line-buffered -v '^exit status of go test: '
	code=$(sed -n 's/^exit status of go test: //p' "$log")
	return "$code"
}

# failed lists the packages that failed.
failed() { awk -F '\t' '$1 == "FAIL" && NF > 1 { sub(/ \[.*/, "", $2); print $2 }' "$log"; }

# ours tells that something failed of which we know more than that the detector died.
ours() { grep -qE '^ *--- FAIL|DATA RACE|^panic: |^fatal error: |\[(build|setup) failed\]|test timed out' "$log"; }

attempt "$@" && exit
first=$?
flags=
for word; do
	case $word in
	./* | . | */...) ;;
	*) flags="$flags '$word'" ;;
	esac
done
for _ in 1 2; do
	ours && exit "$first"
	crashed=$(grep -c 'ThreadSanitizer: CHECK failed' "$log")
	packages=$(failed)
	[ -n "$packages" ] && [ "$(echo "$packages" | wc -l)" -eq "$crashed" ] || exit "$first"
	echo "tools/racetest.sh: the race detector itself died (golang/go#78156) in:" $packages "- once more" >&2
	eval "attempt $flags $packages" && exit
done
exit "$first"
