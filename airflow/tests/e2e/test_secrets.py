"""Comes last: no secret is in what Airflow and Prewarm have written down."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from deployment import PLANTED
from world import World


def written(folder: Path) -> Iterator[tuple[Path, bytes]]:
    for file in folder.rglob("*"):
        if file.is_file() and file.suffix not in {".token", ".key"}:
            yield file, file.read_bytes()


def test_no_secret_is_written_down(world: World) -> None:
    run = world.trigger("secret", "secret")
    run.wait()
    # The program did get it, and printed it.
    (made,) = world.runs(run)
    printed = world.server.lines(made["id"], world.airflow.token)
    assert "PLANTED=***" in printed
    secrets = [PLANTED, *world.server.tokens.values()]
    assert [name for name in secrets if name in world.airflow.dump()] == []
    found = [
        str(file)
        for folder in (world.airflow.home, world.server.folder)
        for file, content in written(folder)
        for secret in secrets
        if secret.encode() in content
    ]
    assert found == []
