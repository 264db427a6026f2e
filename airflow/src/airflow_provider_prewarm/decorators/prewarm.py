"""``@task.prewarm``: a function that says which command a container runs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, ClassVar

from airflow_provider_prewarm._compat import Context
from airflow_provider_prewarm.operators.run import PrewarmRunOperator
from airflow_provider_prewarm.secret import stored

try:
    from airflow.sdk.bases.decorator import DecoratedOperator, TaskDecorator, determine_kwargs, task_decorator_factory
    from airflow.sdk.definitions._internal.types import SET_DURING_EXECUTION
    from airflow.sdk.definitions.context import context_merge
except ImportError:  # 2.11
    from airflow.decorators.base import DecoratedOperator, TaskDecorator, task_decorator_factory
    from airflow.utils.context import context_merge
    from airflow.utils.operator_helpers import determine_kwargs
    from airflow.utils.types import NOTSET as SET_DURING_EXECUTION


class _PrewarmDecoratedOperator(DecoratedOperator, PrewarmRunOperator):
    """Runs what a function gives as its command; templates in it are rendered.

    :param python_callable: gives a text, which is split as PrewarmRunOperator's ``command`` is, or a list
    :param op_args: its positional arguments, templated
    :param op_kwargs: its arguments by name, templated
    """

    template_fields: Sequence[str] = (*DecoratedOperator.template_fields, *PrewarmRunOperator.template_fields)
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **DecoratedOperator.template_fields_renderers,
        **PrewarmRunOperator.template_fields_renderers,
    }
    custom_operator_name: str = "@task.prewarm"
    # The UI shows the command once it is known.
    overwrite_rtif_after_execution: bool = True

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        op_args: Collection[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        if "command" in kwargs:
            raise TypeError("@task.prewarm takes no command=: the function gives it")
        if kwargs.pop("multiple_outputs", False):
            raise TypeError("@task.prewarm has one output, that of the container: leave multiple_outputs out")
        super().__init__(
            python_callable=python_callable,
            op_args=op_args,
            op_kwargs=op_kwargs,
            multiple_outputs=False,
            command=SET_DURING_EXECUTION,
            **kwargs,
        )

    def execute(self, context: Context) -> Any:
        """Ask the function, and run what it says."""
        context_merge(context, self.op_kwargs)
        kwargs = determine_kwargs(self.python_callable, self.op_args, context)
        given = self.python_callable(*self.op_args, **kwargs)
        self.command = self.render_template(_command(given, self.python_callable), context)
        return super().execute(context)


def _command(given: Any, function: Callable[..., Any]) -> str | list[str]:
    name = getattr(function, "__name__", "the function")
    if isinstance(given, str) and given.strip():
        return given
    if isinstance(given, list | tuple) and given and all(isinstance(word, str | int | float) for word in given):
        return [str(word) for word in given]
    # Not repeated: there may be secrets in it.
    raise TypeError(
        f"{name} gave something of type {type(given).__name__} as the command: return a text that is not blank, or a "
        "list of words"
    )


def prewarm_task(python_callable: Callable[..., Any] | None = None, **kwargs: Any) -> TaskDecorator:
    """Make a task of a function that gives the command of a container::

        @task.prewarm(image="node-jobs")
        def import_day(customer: str) -> str:
            return f"node dist/import.js --customer {customer} --day {{{{ ds }}}}"

    :param python_callable: the function
    :param kwargs: those of PrewarmRunOperator, but for ``command``
    """
    made: Any = task_decorator_factory(
        python_callable=python_callable, decorated_operator_class=_PrewarmDecoratedOperator, **_stored(kwargs)
    )
    task: TaskDecorator = _hiding(made) if python_callable else lambda function: _hiding(made(function))
    return task


def _stored(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """What Airflow may store of parameters, which may become those of a mapped task."""
    return {name: stored(name, value) for name, value in kwargs.items()}


def _hiding(task: Any) -> Any:
    """A decorated function whose ``override`` hides secrets, too."""
    kind = type(task)

    class Hiding(kind):  # type: ignore[misc, valid-type]
        def override(self, **kwargs: Any) -> Any:
            return kind.override(self, **_stored(kwargs))

    task.__class__ = Hiding
    return task
