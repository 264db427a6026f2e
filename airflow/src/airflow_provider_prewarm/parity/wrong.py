"""An argument that can't become part of a run."""

from __future__ import annotations


class ArgumentWrong(ValueError):
    """An argument of DockerOperator has no meaning, or one that a run on Prewarm can't have.

    :param parameter: which, as ``mounts[0].driver_config``
    :param why: what is wrong with it
    :param mend: what to write instead
    """

    def __init__(self, parameter: str, why: str, mend: str) -> None:
        super().__init__(f"{parameter}: {why}: {mend}")
        self.parameter = parameter
        self.why = why
        self.mend = mend
