"""What the text of DAG files says."""

from __future__ import annotations

from pathlib import Path

from airflow_provider_prewarm.check.source import python_files, read


def _read(tmp_path: Path, text: str):
    path = tmp_path / "dag.py"
    path.write_text(text)
    return read(path)


def test_engines_are_found_under_any_name(tmp_path: Path) -> None:
    source = _read(
        tmp_path,
        "import docker as dk\n"
        "from docker import APIClient as Api\n"
        "from airflow.providers.docker.hooks import docker as hooks\n"
        "from airflow.providers.docker.hooks.docker import DockerHook as Hook\n"
        "@staticmethod\n"
        "def f():\n"
        "    dk.from_env()\n"
        "    Api(base_url='x')\n"
        "    hooks.DockerHook('x')\n"
        "Hook()\n",
    )
    assert [(u.line, u.name, u.function, u.starts) for u in source.uses] == [
        (7, "dk.from_env(", "f", (5,)),
        (8, "Api(", "f", (5,)),
        (9, "hooks.DockerHook(", "f", (5,)),
        (10, "Hook(", "", ()),
    ]


def test_other_things_of_the_same_name_are_none(tmp_path: Path) -> None:
    source = _read(
        tmp_path, "from mine import DockerHook, from_env\nimport dockerish\nDockerHook()\nfrom_env()\nx.from_env()\n"
    )
    assert (source.uses, source.types, source.imports) == ([], [], [])


def test_imports_and_types_are_told_by_line(tmp_path: Path) -> None:
    source = _read(
        tmp_path,
        "from docker.types import Mount, Ulimit\n"
        "from airflow.providers.docker.operators.docker import (\n    DockerOperator,\n)\n"
        "from airflow.providers.docker.operators.docker_swarm import DockerSwarmOperator\n",
    )
    assert [(u.line, u.name) for u in source.types] == [(1, "from docker.types import Mount, Ulimit")]
    assert [(u.line, u.name) for u in source.imports] == [(2, "DockerOperator"), (5, "DockerSwarmOperator")]


def test_a_task_of_two_places_has_no_line(tmp_path: Path) -> None:
    source = _read(tmp_path, "A(task_id='a')\nB(task_id='b')\nC(\n  task_id='b')\n")
    assert [source.line_of(t) for t in ("a", "group.a", "b", "c")] == [1, 1, 0, 0]


def test_a_file_that_is_no_python_is_told(tmp_path: Path) -> None:
    assert "SyntaxError" in _read(tmp_path, "def (:\n").error


def test_helpers_count_and_hidden_folders_do_not(tmp_path: Path) -> None:
    for name in ("a.py", "lib/b.py", ".venv/c.py", "lib/__pycache__/d.py", "e.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    assert [p.name for p in python_files(tmp_path)] == ["a.py", "b.py"]


def test_names_of_a_module_are_told_where_they_stand(tmp_path: Path) -> None:
    source = _read(
        tmp_path,
        "from airflow.providers.docker import exceptions\n"
        "import airflow.providers.docker.operators.docker as d\n"
        "import airflow.providers.docker.operators.docker\n"
        "import mine\n"
        "d.DockerOperator(task_id='a')\n"
        "airflow.providers.docker.operators.docker.DockerOperator(task_id='b')\n"
        "mine.DockerOperator(task_id='c')\n"
        "try: ...\n"
        "except exceptions.DockerContainerFailedException: ...\n",
    )
    assert [(u.line, u.name) for u in source.imports] == [
        (5, "DockerOperator"),
        (6, "DockerOperator"),
        (9, "DockerContainerFailedException"),
    ]
