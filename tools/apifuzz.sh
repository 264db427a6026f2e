#!/bin/sh
# Fuzzes the HTTP API by its own OpenAPI document: a server with one image and
# one host, neither of which answers, must answer whatever comes in time, with a
# status and a body that the document knows, and never with a fault of its own.
#
#   sh tools/apifuzz.sh FOLDER     where schemathesis is kept between runs
#
# SEED repeats a run. Needs Python with venv, which it installs from Debian's
# packages where it may.
set -eu

version=4.32.5
kept=$1/schemathesis-$version
seed=${SEED:-$(date +%s)}

if ! [ -x "$kept/bin/schemathesis" ]; then
	if ! python3 -c 'import ensurepip' 2>/dev/null; then
		apt-get update -qq
		DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends python3-venv >/dev/null
	fi
	rm -rf "$kept"
	python3 -m venv "$kept"
	"$kept/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$version"
fi

work=$(mktemp -d)
server=
finish() {
	code=$?
	if [ -n "$server" ]; then
		kill "$server" 2>/dev/null || true
		wait "$server" || code=$?
	fi
	# What a caller sent is never worth a line at this level.
	if grep -E 'level=ERROR|"level":"ERROR"|panic' "$work/log"; then
		echo "tools/apifuzz.sh: the server found a fault of its own (seed $seed)" >&2
		code=1
	fi
	rm -rf "$work"
	exit "$code"
}
trap finish EXIT

go build -o "$work/prewarm" ./cmd/prewarm
# With tokens: those that the fuzzer makes itself would shut it out otherwise.
token=$(head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n')
echo "$token" >"$work/token"
cat >"$work/prewarm.yaml" <<-YAML
	server: {listen: '127.0.0.1:0', limits: {rate: 10000/s}}
	auth: {tokens: [{name: fuzzer, token_file: $work/token, scopes: [admin]}]}
	state: {path: $work/state}
	registries: [{name: '127.0.0.1:9', plain_http: true}]
	hosts: [{name: etl-1, endpoint: 'unix://$work/none.sock'}]
	webhooks: [{name: ci, kind: generic, secret_file: $work/token, repositories: ['127.0.0.1:9/etl/*']}]
	notify: [{name: ops, webhook: {url: 'http://127.0.0.1:9/', secret_file: $work/token}}]
	images: [{name: node-jobs, repository: '127.0.0.1:9/etl/node-jobs', track: {tag: latest}}]
YAML
"$work/prewarm" serve --config "$work/prewarm.yaml" >"$work/log" 2>&1 &
server=$!
address=
for _ in $(seq 100); do
	address=$(sed -n 's,.*\(http://127\.0\.0\.1:[0-9]*\).*,\1,p' "$work/log" | head -n 1)
	[ -z "$address" ] || break
	sleep 0.1
done
[ -n "$address" ] || { cat "$work/log" >&2; exit 1; }

config=$PWD/tools/schemathesis.toml
cd "$work" # it leaves notes of its own where it runs
"$kept/bin/schemathesis" --config-file "$config" run "$address/openapi.yaml" \
	--header "Authorization: Bearer $token" --phases examples,coverage,fuzzing --seed "$seed" --continue-on-failure --no-shrink \
	--checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,response_headers_conformance
