#!/bin/sh
# Makes what compose.yaml takes from secrets/: tokens, passwords, certificates.
# What is there already stays as it is, so that it may be run again, and so that
# any file may be one of your own. Needs openssl.
set -eu

command -v openssl >/dev/null || { echo "setup.sh: this machine lacks openssl; install it" >&2; exit 1; }

cd "$(dirname "$0")"
mkdir -p secrets
# Nobody else on this machine may look into the folder. The files themselves are
# for every user, for in a container it is another one who reads them.
chmod 700 secrets
cd secrets
umask 022

# write NAME: standard input becomes that file, whole or not at all.
write() {
	[ -s "$1" ] && { cat >/dev/null; return; }
	cat >".$1"
	[ -s ".$1" ] || { echo "setup.sh: there is nothing to write to secrets/$1" >&2; exit 1; }
	mv ".$1" "$1"
	echo "setup.sh: made secrets/$1"
}

random() { openssl rand -hex 32; }

# certificate NAME USAGE SUBJECT-ALTERNATIVE-NAMES: one that nobody signed but
# its own key. The other side trusts this one and no other, so there is no
# authority whose key could be taken.
certificate() {
	[ -s "$1.pem" ] && [ -s "$1.key" ] && return
	cat >".$1.cnf" <<-EOF
		[req]
		prompt = no
		distinguished_name = name
		x509_extensions = is
		[name]
		CN = $1
		[is]
		basicConstraints = critical, CA:FALSE
		keyUsage = critical, digitalSignature
		extendedKeyUsage = $2
		subjectAltName = $3
	EOF
	openssl req -x509 -config ".$1.cnf" -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
		-days 825 -keyout ".$1.key" -out ".$1.pem" 2>/dev/null
	chmod 644 ".$1.key"
	mv ".$1.key" "$1.key" && mv ".$1.pem" "$1.pem"
	rm ".$1.cnf"
	echo "setup.sh: made secrets/$1.pem and secrets/$1.key"
}

certificate prewarm serverAuth DNS:prewarm,DNS:localhost,IP:127.0.0.1
certificate etl-1 serverAuth DNS:etl-1
certificate etl-1-client clientAuth DNS:prewarm

random | write admin-token
random | write airflow-token
random | write postgres-password
random | write airflow-jwt-secret
random | write airflow-api-key
openssl rand -base64 32 | tr '+/' '-_' | write airflow-fernet-key

# Airflow has these as one text each.
printf 'postgresql+psycopg2://airflow:%s@postgres/airflow\n' "$(cat postgres-password)" | write airflow-database
printf '{"admin": "%s"}\n' "$(openssl rand -hex 12)" | write airflow-passwords.json
write airflow-connections.json <<EOF
{
  "prewarm_default": {
    "conn_type": "prewarm",
    "host": "prewarm",
    "port": 8470,
    "schema": "https",
    "password": "$(cat airflow-token)",
    "extra": {"ca_cert": "/run/secrets/prewarm.pem"}
  }
}
EOF
