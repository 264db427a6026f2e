#!/bin/sh
# Runs every fuzz target of the tree, one after the other.
#
#   sh tools/fuzz.sh 10s
#
# Ends at the first input that fails; go test keeps it below testdata/fuzz,
# where from then on every test run tries it: commit it with its mend.
set -eu

# ended_late OUTPUT TARGET is true where all that failed is the end of the time:
# Go's coordinator of the fuzzing now and then takes the end that it was given
# for an error (golang/go#75804). A target that fails has an input, which is named.
ended_late() {
	case $1 in *'Failing input'*) return 1 ;; esac
	[ "$(echo "$1" | grep -A 1 -e '^ *--- FAIL' | sed 's/ ([0-9.]*s)$//')" = "--- FAIL: $2
    context deadline exceeded" ]
}

for file in $(grep -rl '^func Fuzz' --include='*_test.go' .); do
	for target in $(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$file"); do
		echo "fuzz $target in $(dirname "$file") for $1"
		# An input that reaches something new is made smaller, for up to a minute
		# unless told: that would be all of the time.
		out=$(go test -run '^$' -fuzz "^$target\$" -fuzztime "$1" -fuzzminimizetime 1s "$(dirname "$file")" 2>&1) || {
			ended_late "$out" "$target" || {
				echo "$out"
				exit 1
			}
			echo "nothing found; at its end go test stumbled over golang/go#75804"
		}
		echo "$out" | tail -n 3
		# A target behind a build tag is found here and not by go test, which
		# says so and calls it a success.
		case $out in *'no fuzz tests to fuzz'*) exit 1 ;; esac
	done
done
