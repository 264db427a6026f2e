#!/bin/sh
# Installs from Debian's packages what building and testing needs beside Go: a
# C compiler, which the race detector links with, git, and what a script in
# docs/webhooks.md is run with: curl and openssl. What engines need is
# test/setup.sh's business.
#
#   sh tools/setup.sh
#
# Says and does nothing when all is there.
set -eu

packages=
for program in git curl openssl; do
	command -v "$program" >/dev/null || packages="$packages $program"
done
# The compiler alone can't link; what it needs for that is no program to look
# for.
if ! command -v gcc >/dev/null || [ ! -e /usr/include/stdio.h ]; then
	packages="$packages gcc libc6-dev"
fi
[ -n "$packages" ] || exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
	echo "tools/setup.sh: this machine lacks$packages; install them, or run this as root on Debian" >&2
	exit 1
fi
echo "tools/setup.sh: installing$packages" >&2
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# Word splitting is meant: a list of packages.
# shellcheck disable=SC2086
apt-get install -qq -y --no-install-recommends $packages >/dev/null
