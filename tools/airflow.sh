#!/bin/sh
# Makes a Python environment of exactly what a lock file lists, once, and prints
# where it is. The environments stay as they were made: what tests add to one
# goes into an environment of their own on top of it.
#
#   sh tools/airflow.sh FOLDER NAME     FOLDER is where environments are kept between runs,
#                                       NAME a file of airflow/requirements, as airflow-3.3
#
# Another lock file, or another Python, is another environment. Needs Python
# 3.11 with venv, which it installs from Debian's packages where it may.
set -eu

lock=airflow/requirements/$2.txt
[ -r "$lock" ] || { echo "tools/airflow.sh: there is no $lock; run this in the root of the tree" >&2; exit 1; }

# The lock files were made for 3.11, which Debian 12 has.
python=
for candidate in python3.11 python3; do
	if "$candidate" -c 'import sys, ensurepip; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
		python=$candidate
		break
	fi
done
if [ -z "$python" ]; then
	if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
		echo "tools/airflow.sh: this machine lacks Python 3.11 with venv; install it, or run this as root on Debian 12" >&2
		exit 1
	fi
	echo "tools/airflow.sh: installing python3-venv" >&2
	apt-get update -qq >&2
	DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends python3-venv >/dev/null
	python=/usr/bin/python3.11
fi

base=$("$python" -c 'import sys; print(sys._base_executable or sys.executable)')
hash=$( (cat "$lock"; "$base" -VV; echo "$base") | sha256sum | cut -c 1-12)
kept=$1/$2-$hash

# Two that start together make it once.
mkdir -p "$1"
exec 9>"$1/$2.lock"
flock 9
if ! [ -e "$kept/complete" ]; then
	echo "tools/airflow.sh: making $kept" >&2
	rm -rf "$kept"
	"$base" -m venv "$kept" >&2
	# A lock file is complete: nothing is left to be found out.
	"$kept/bin/pip" install --quiet --disable-pip-version-check --no-deps -r "$lock" >&2
	"$kept/bin/pip" check --disable-pip-version-check >&2
	touch "$kept/complete"
fi
echo "$kept"
