#!/bin/sh
# Installs from Debian's own packages what the test fleet needs (see test/fleet):
# an engine, a registry, and the tools that make hosts out of namespaces.
#
#   sh test/setup.sh             what every fleet needs
#   sh test/setup.sh engine29    also what building a current engine needs
#   sh test/setup.sh install     also what the tests of docs/install need
#   sh test/setup.sh promtool    only what testing docs/monitoring needs
#   sh test/setup.sh release     only what looking at a release needs
#
# Says and does nothing when all is there. It starts and enables no service: the
# fleet runs engines of its own. systemd need not be running.
set -eu

refuse() {
	echo "test/setup.sh: $1" >&2
	exit 1
}

# What a program is called, and the package that has it. The docker command
# line is part of docker.io up to Debian 12, and docker-cli's after.
wanted='dockerd:docker.io docker:docker-cli containerd:containerd runc:runc
	docker-registry:docker-registry debootstrap:debootstrap ip:iproute2 tc:iproute2 iptables:iptables
	sshd:openssh-server ps:procps nsenter:util-linux unshare:util-linux mount:mount hostname:hostname'
# Without these there is no program to look for.
files='/etc/ssl/certs/ca-certificates.crt:ca-certificates
	/usr/share/keyrings/debian-archive-keyring.gpg:debian-archive-keyring'
case ${1-} in
'') ;;
engine29)
	wanted="$wanted gcc:gcc pkg-config:pkg-config"
	files="$files /usr/include/seccomp.h:libseccomp-dev /usr/include/stdlib.h:libc6-dev"
	;;
install)
	wanted="$wanted systemd-analyze:systemd make:make git:git busybox:busybox-static openssl:openssl"
	;;
promtool)
	wanted=promtool:prometheus
	files=
	;;
release)
	wanted='lintian:lintian git:git'
	files=
	;;
*) refuse "there is no \"$1\" to set up; usage: sh test/setup.sh [engine29|install|promtool|release]" ;;
esac

PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
packages=
for pair in $wanted; do
	command -v "${pair%%:*}" >/dev/null || packages="$packages ${pair#*:}"
done
for pair in $files; do
	[ -e "${pair%%:*}" ] || packages="$packages ${pair#*:}"
done
[ -n "$packages" ] || exit 0

command -v apt-get >/dev/null && [ -e /etc/debian_version ] ||
	refuse "this machine lacks$packages and is no Debian; install them by hand"
[ "$(id -u)" -eq 0 ] ||
	refuse "this machine lacks$packages; run it as root to install them"

# A package that brings a service asks policy-rc.d before it starts it. 101 is
# "no". A policy that the machine has already is put back as it was, also one
# that this script moved away in an earlier run and was killed.
policy=/usr/sbin/policy-rc.d
kept=$policy.before-prewarm
restore() {
	rm -f "$policy"
	[ ! -e "$kept" ] || mv "$kept" "$policy"
}
if [ -e "$policy" ] && [ ! -e "$kept" ]; then
	mv "$policy" "$kept"
fi
trap restore EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
printf '#!/bin/sh\nexit 101\n' >"$policy"
chmod 755 "$policy"

# Enabling is another matter than starting: a link that starts the service at
# the next boot. What was there before this script stays as it is.
services=
for service in docker containerd docker-registry ssh prometheus; do
	[ -e "/lib/systemd/system/$service.service" ] || services="$services $service"
done

export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
available=
for package in $packages; do
	# Where there is no docker-cli, docker.io has the program.
	apt-cache show "$package" >/dev/null 2>&1 || package=docker.io
	available="$available $package"
done
echo "test/setup.sh: installing$available" >&2
# Word splitting is meant: a list of packages.
# shellcheck disable=SC2086
apt-get install -qq -y --no-install-recommends $available >/dev/null
for service in $services; do
	# The helper works with and without a running systemd, but only for a script
	# of a package, so it says. update-rc.d is for the init that Debian had before.
	for unit in "$service.service" "$service.socket"; do
		DPKG_MAINTSCRIPT_PACKAGE=$service deb-systemd-helper disable "$unit" >/dev/null 2>&1 || true
	done
	update-rc.d "$service" disable >/dev/null 2>&1 || true
done

for pair in $wanted; do
	command -v "${pair%%:*}" >/dev/null ||
		refuse "${pair%%:*} is still missing after installing ${pair#*:}"
done
