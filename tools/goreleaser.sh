#!/bin/sh
# Runs goreleaser here, without the network.
#
#   sh tools/goreleaser.sh GORELEASER ARGUMENTS...
#
# It wants to know where the repository comes from, and without that calls each
# commit "none": a clone that has no remote, or a folder as one, is told.
set -eu

[ $# -ge 2 ] || {
	echo "usage: sh tools/goreleaser.sh GORELEASER ARGUMENTS..." >&2
	exit 2
}
cd "$(dirname "$0")/.."
if ! git ls-remote --get-url >/dev/null 2>&1; then
	export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=remote.origin.url GIT_CONFIG_VALUE_0=https://github.com/prewarm/prewarm
fi
exec "$@"
