#!/bin/sh
# Runs every fuzz target of the tree, one after the other.
#
#   sh tools/fuzz.sh 10s
#
# Ends at the first input that fails; go test keeps it below testdata/fuzz,
# where from then on every test run tries it: commit it with its mend.
set -eu

for file in $(grep -rl '^func Fuzz' --include='*_test.go' .); do
	for target in $(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$file"); do
		echo "fuzz $target in $(dirname "$file") for $1"
		out=$(go test -run '^$' -fuzz "^$target\$" -fuzztime "$1" "$(dirname "$file")" 2>&1) || {
			echo "$out"
			exit 1
		}
		echo "$out" | tail -n 3
		# A target behind a build tag is found here and not by go test, which
		# says so and calls it a success.
		case $out in *'no fuzz tests to fuzz'*) exit 1 ;; esac
	done
done
