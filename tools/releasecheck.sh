#!/bin/sh
# Looks at what goreleaser made in dist, as somebody who downloads it would.
set -eu
cd "$(dirname "$0")/../dist"
export LC_ALL=C

refuse() {
	echo "tools/releasecheck.sh: $1" >&2
	exit 1
}

sha256sum --quiet --check --strict SHA256SUMS || refuse "the checksums are not those of the files"
for kind in linux_amd64.tar.gz linux_arm64.tar.gz darwin_amd64.tar.gz darwin_arm64.tar.gz amd64.deb arm64.deb; do
	set -- prewarm_*_"$kind"
	[ $# -eq 1 ] && [ -s "$1" ] || refuse "there is no prewarm_VERSION_$kind"
	grep -q "  $1\$" SHA256SUMS || refuse "SHA256SUMS lacks $1"
done

commit=$(git rev-parse HEAD)
date=$(TZ=UTC git log -1 --format=%cd --date=format-local:%Y-%m-%dT%H:%M:%SZ)
arch=$(go env GOARCH)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# says fails unless a program tells its release, commit and date.
says() {
	"$1" version -o json >"$work/said"
	for want in "\"version\": \"$version\"" "\"commit\": \"$commit\"" "\"date\": \"$date\""; do
		grep -qF "$want" "$work/said" || refuse "$1 does not say $want but: $(cat "$work/said")"
	done
}

set -- prewarm_*_"linux_$arch.tar.gz"
version=${1#prewarm_}
version=${version%_linux_*}
for system in linux_amd64 linux_arm64 darwin_amd64 darwin_arm64; do
	top=$work/prewarm_${version}_$system
	tar xzf "prewarm_${version}_$system.tar.gz" -C "$work"
	for file in LICENSE CHANGELOG.md docs/cli.md docs/configuration.md packaging/systemd/prewarm.service \
		completions/prewarm.bash completions/_prewarm completions/prewarm.fish man/prewarm.1.gz man/prewarm-run.1.gz; do
		[ -s "$top/$file" ] || refuse "the archive of $system lacks $file"
	done
	go version -m "$top/prewarm" >"$work/built"
	for setting in "GOOS=${system%_*}" "GOARCH=${system#*_}" CGO_ENABLED=0; do
		grep -q "build	$setting\$" "$work/built" || refuse "the program in the archive of $system was not built with $setting"
	done
done
says "$work/prewarm_${version}_linux_$arch/prewarm"

set -- prewarm_*_"$arch.deb"
dpkg-deb -x "$1" "$work/deb"
says "$work/deb/usr/bin/prewarm"
for deb in prewarm_*.deb; do
	lintian --allow-root --fail-on error,warning "$deb" || refuse "lintian refuses $deb"
done
echo "tools/releasecheck.sh: $(wc -l <SHA256SUMS) files of $version, of commit $commit, are good"
