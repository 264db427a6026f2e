#!/bin/sh
# Fails if make generate changes something: then a generated file is older than
# what it is made from. What is changed and not committed yet does not matter.
#
#   sh tools/generated.sh
set -eu

# state is what the tree holds beside its last commit.
state() {
	git diff HEAD
	git ls-files --others --exclude-standard -z | xargs -0 -r cksum
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
state >"$work/before"
make --no-print-directory generate
state >"$work/after"
if ! cmp -s "$work/before" "$work/after"; then
	diff "$work/before" "$work/after" || true
	echo "generated files were out of date: commit what make generate just wrote" >&2
	exit 1
fi
