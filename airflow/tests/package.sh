#!/bin/sh
# Builds the package, looks into it, installs it beside an Airflow and asks that Airflow what it makes of it.
#
#	sh tests/package.sh AIRFLOW_PYTHON TOOLS_PYTHON
#
# AIRFLOW_PYTHON is the python of a virtual environment with Airflow in it, which is left as it is. TOOLS_PYTHON has build,
# twine and hatchling.
set -eu
airflow_python=$1
tools_python=$2
cd "$(dirname "$0")/.."

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
fail() { echo "package: $*" >&2; exit 1; }

"$tools_python" -m build --no-isolation --outdir "$dir/dist" . >"$dir/build.log" 2>&1 || { cat "$dir/build.log"; fail "it was not built"; }
"$tools_python" -m twine check --strict "$dir"/dist/*
wheel=$(echo "$dir"/dist/airflow_provider_prewarm-*-py3-none-any.whl)
sdist=$(echo "$dir"/dist/airflow_provider_prewarm-*.tar.gz)

# What is in it. A wheel with an airflow/ folder breaks Airflow's own imports.
"$tools_python" - "$wheel" "$sdist" <<'PYTHON'
import sys, tarfile, zipfile

wheel = zipfile.ZipFile(sys.argv[1])
names = wheel.namelist()
info = next(n for n in names if n.endswith(".dist-info/METADATA")).rpartition("/")[0]
roots = {n.partition("/")[0] for n in names}
assert roots == {"airflow_provider_prewarm", info}, roots
for wanted in ("airflow_provider_prewarm/py.typed", f"{info}/licenses/LICENSE", f"{info}/entry_points.txt"):
    assert wanted in names, wanted
entry = wheel.read(f"{info}/entry_points.txt").decode()
assert "[apache_airflow_provider]" in entry and "airflow_provider_prewarm.get_provider_info:get_provider_info" in entry, entry
requires = {line for line in wheel.read(f"{info}/METADATA").decode().splitlines() if line.startswith("Requires-Dist:")}
plain = {line for line in requires if "extra ==" not in line}
assert plain == {"Requires-Dist: apache-airflow!=3.0.*,>=2.11", "Requires-Dist: httpx>=0.27"}, requires

files = {n.partition("/")[2] for n in tarfile.open(sys.argv[2]).getnames()}
for wanted in ("README.md", "LICENSE", "pyproject.toml", "src/airflow_provider_prewarm/__init__.py"):
    assert wanted in files, wanted
PYTHON

# Beside Airflow: a .pth file lends Airflow's packages to the new environment, since one made of a virtual environment's
# python sees the packages of the system only.
"$airflow_python" -m venv --without-pip "$dir/venv"
site=$("$dir/venv/bin/python" -c 'import site; print(site.getsitepackages()[0])')
"$airflow_python" -c 'import site; print(site.getsitepackages()[0])' >"$site/airflow.pth"
"$tools_python" -m pip --python "$dir/venv/bin/python" install --quiet --no-deps --no-index --disable-pip-version-check "$wheel"

export AIRFLOW_HOME="$dir/airflow"
export AIRFLOW__CORE__LOAD_EXAMPLES=false
unset PYTHONPATH
airflow() { (cd "$dir" && "$dir/venv/bin/python" -m airflow "$@" 2>"$dir/airflow.log") || { cat "$dir/airflow.log" >&2; fail "airflow $*"; }; }
airflow db migrate >"$dir/migrate.log"

# says OUTPUT WORD...: each word is in what Airflow said.
says() {
	said=$1
	shift
	for word in "$@"; do
		case $said in *"$word"*) ;; *) fail "airflow does not say \"$word\", but: $said" ;; esac
	done
}
says "$(airflow providers get airflow-provider-prewarm --full -o json)" airflow-provider-prewarm Prewarm prewarm_task docker_operator
says "$(airflow providers hooks -o json)" '"prewarm"' airflow_provider_prewarm.hooks.prewarm.PrewarmHook
says "$(airflow providers links -o json)" airflow_provider_prewarm.links.PrewarmRunLink
says "$(airflow providers triggers -o json)" airflow_provider_prewarm.triggers.run
says "$(airflow config get-value prewarm docker_operator)" prewarm
says "$(airflow config get-value prewarm check_at_parse)" True

# The form of a connection, as the web server asks for it.
(cd "$dir" && "$dir/venv/bin/python" - >"$dir/form.json" 2>"$dir/airflow.log") <<'PYTHON' || { cat "$dir/airflow.log" >&2; fail "the form"; }
import json

try:
    from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService
except ImportError:  # Airflow 2
    from airflow.providers_manager import ProvidersManager

    manager = ProvidersManager()
    fields = [name.rpartition("__")[2] for name in manager.connection_form_widgets if name.startswith("extra__prewarm__")]
    shown = manager.field_behaviours["prewarm"]
else:
    (meta,) = [m for m in HookMetaService.hook_meta_data() if m.connection_type == "prewarm"]
    fields = list(meta.extra_fields or {})
    shown = meta.standard_fields.model_dump() if meta.standard_fields else {}
print(json.dumps({"fields": fields, "shown": shown}))
PYTHON
says "$(cat "$dir/form.json")" ca_cert client_cert client_key verify timeout "API token" namespace 8470
echo "package: $(basename "$wheel") is well"
