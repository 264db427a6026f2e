#!/bin/sh
# Checks the Airflow provider without engines: its unit tests on each Airflow
# that it supports, its style, its types, and what is released of it.
#
#   sh tools/airflow-unit.sh FOLDER     where Python environments are kept between runs
set -eu

tools=$(sh tools/airflow.sh "$1" tools)
newest=$(sh tools/airflow.sh "$1" airflow-3.3)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

cd airflow
"$tools/bin/ruff" check --no-cache .
"$tools/bin/ruff" format --no-cache --check .
"$tools/bin/mypy" --cache-dir "$work/mypy" --python-executable "$newest/bin/python" src
# Their modules have no package: they are found as pytest finds them.
for folder in tests/e2e bench; do
	(cd "$folder" && MYPYPATH=$OLDPWD/src "$tools/bin/mypy" --config-file "$OLDPWD/pyproject.toml" --cache-dir "$work/mypy" \
		--python-executable "$newest/bin/python" ./*.py)
done

# At the same time: much of what they do is waiting.
for version in 3.3 3.1 2.11; do
	python=$(cd .. && sh tools/airflow.sh "$1" "airflow-$version")/bin/python
	(
		AIRFLOW_HOME=$work/$version PYTHONPATH=src:tests PYTHONDONTWRITEBYTECODE=1 \
			"$python" -m pytest tests/unit tests/contract -q -p no:cacheprovider >"$work/$version.out" 2>&1 && touch "$work/$version.passed"
	) &
done
wait
code=0
for version in 3.3 3.1 2.11; do
	echo "unit tests on Airflow $version"
	cat "$work/$version.out"
	[ -e "$work/$version.passed" ] || code=1
done
[ "$code" = 0 ] || exit "$code"

sh tests/package.sh "$newest/bin/python" "$tools/bin/python"
