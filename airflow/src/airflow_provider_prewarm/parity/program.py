"""Image, command and entrypoint."""

from __future__ import annotations

import ast
import shlex
from collections.abc import Sequence
from typing import Any

from airflow_provider_prewarm.parity.wrong import ArgumentWrong


def image(name: str) -> str:
    """The image as the server is asked for it: without tag and digest it is ``:latest``, as Docker has it."""
    if not isinstance(name, str) or not name.strip():
        raise ArgumentWrong("image", f"{name!r} names none", "write it as registry.example.com/etl/node-jobs:1.4")
    return name if "@" in name or ":" in name.rpartition("/")[2] else f"{name}:latest"


def literal(text: Any) -> Any:
    """A string that begins with ``[`` is the Python list that it shows; all else stays."""
    if not isinstance(text, str) or not text.strip().startswith("["):
        return text
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError) as e:
        raise ArgumentWrong(
            "command or entrypoint",
            f"it begins with [ and is no Python list: {e}",
            "for the program [ write it as a list",
        ) from e


def words(parameter: str, value: Any) -> list[str]:
    """A string is split as docker-py does, by the rules of a POSIX shell and without one; a list stays as it is."""
    if value is None:
        return []
    if isinstance(value, str):
        try:
            return shlex.split(value)
        except ValueError as e:
            raise ArgumentWrong(parameter, f"it can't be split into words ({e})", "close the quote") from e
    if not isinstance(value, Sequence) or isinstance(value, bytes):
        raise ArgumentWrong(parameter, f"it is of type {type(value).__name__}", "write a string, or a list of strings")
    # Not repeated: there may be secrets among them.
    for i, word in enumerate(value):
        if not isinstance(word, str):
            raise ArgumentWrong(f"{parameter}[{i}]", f"it is of type {type(word).__name__}", "write it as a string")
    return list(value)


def program(command: Any, entrypoint: Any) -> dict[str, list[str]]:
    """Command and entrypoint, after ``literal``."""
    command_words = words("command", command)
    entry_words = words("entrypoint", entrypoint)
    if entrypoint is not None and not entry_words:
        return _without_entrypoint(command_words)
    return {"command": command_words, "entrypoint": entry_words}


def _without_entrypoint(command: list[str]) -> dict[str, list[str]]:
    """An empty entrypoint takes the image's away. The command alone runs then, and its first word can stand as one."""
    if not command:
        raise ArgumentWrong(
            "entrypoint",
            "an empty one takes the image's entrypoint away, and there is no command to put in its place",
            "write the program as command",
        )
    return {"entrypoint": command[:1], "command": command[1:]}
