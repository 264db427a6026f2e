#!/bin/sh
# Prints what CHANGELOG.md says of a version, as the notes of its release.
#
#   sh tools/notes.sh 1.2.0 [CHANGELOG.md]
#
# "Unreleased" is a version, too. One that has no section, or an empty one, is
# refused: a release that says nothing is a mistake.
set -eu

if [ $# -lt 1 ] || [ $# -gt 2 ]; then
	echo "usage: sh tools/notes.sh VERSION [CHANGELOG.md]" >&2
	exit 2
fi
version=${1#v}
file=${2:-$(dirname "$0")/../CHANGELOG.md}

# A section begins with "## 1.2.0", perhaps with a date behind it, and ends at the
# next one or at the end. Blank lines around it are no part of it.
notes=$(awk -v version="$version" '
	/^## / { inside = ($2 == version || $2 == "[" version "]"); next }
	inside && (NF || began) { began = 1; print }
' "$file")
if [ -z "$notes" ]; then
	echo "tools/notes.sh: $file says nothing of $version; give it a section \"## $version\"" >&2
	exit 1
fi
printf '%s\n' "$notes"
