#!/bin/sh
# Makes in bin/package what packages and archives bring beside the program:
# manual pages, completions, changelogs. The same commit makes the same bytes.
#
#   sh tools/package.sh VERSION SECONDS
#
# SECONDS since 1970 is the commit's time.
set -eu

if [ $# -ne 2 ]; then
	echo "usage: sh tools/package.sh VERSION SECONDS" >&2
	exit 2
fi
version=$1
export SOURCE_DATE_EPOCH="$2" LC_ALL=C
cd "$(dirname "$0")/.."
dir=$PWD/bin/package
rm -rf "$dir"
mkdir -p "$dir"

go test ./cmd/prewarm -vet off -count 1 -run '^TestPackage$' -args -package "$dir" >&2
gzip -9n "$dir"/man/*.1

# In Debian's versions a tilde is before a release: 1.2.0~rc.1.
debian=$(printf '%s' "$version" | sed 's/-/~/')-1
{
	printf 'prewarm (%s) stable; urgency=medium\n\n' "$debian"
	printf '  * What is new is in changelog.gz.\n\n'
	printf ' -- Prewarm maintainers <maintainers@prewarm.invalid>  %s\n' "$(date -u -R -d "@$SOURCE_DATE_EPOCH")"
} | gzip -9n >"$dir/changelog.Debian.gz"
gzip -9nc CHANGELOG.md >"$dir/changelog.gz"
