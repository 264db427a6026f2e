"""What has another name in another Airflow. Everything else imports it from here."""

from __future__ import annotations

from typing import Any

try:
    from airflow.sdk import BaseHook, BaseOperator, BaseOperatorLink, get_parsing_context
    from airflow.sdk.definitions.context import Context

    AIRFLOW_3 = True
except ImportError:  # 2.11
    from airflow.hooks.base import BaseHook
    from airflow.models.baseoperator import BaseOperator
    from airflow.models.baseoperatorlink import BaseOperatorLink
    from airflow.utils.context import Context
    from airflow.utils.dag_parsing_context import get_parsing_context

    AIRFLOW_3 = False

try:
    from airflow.sdk import conf
except ImportError:  # up to 3.1
    from airflow.configuration import conf  # type: ignore[no-redef]

try:
    from airflow.sdk.exceptions import (
        AirflowException,
        AirflowFailException,
        AirflowSkipException,
        AirflowTaskTimeout,
    )
except ImportError:  # up to 3.1
    from airflow.exceptions import AirflowException, AirflowFailException, AirflowSkipException, AirflowTaskTimeout

try:
    from airflow.sdk.log import mask_secret
except ImportError:  # 2.11
    from airflow.utils.log.secrets_masker import mask_secret

__all__ = [
    "AIRFLOW_3",
    "AirflowException",
    "AirflowFailException",
    "AirflowSkipException",
    "AirflowTaskTimeout",
    "BaseHook",
    "BaseOperator",
    "BaseOperatorLink",
    "Context",
    "conf",
    "get_parsing_context",
    "mask_secret",
    "xcom_value",
]


def xcom_value(ti_key: Any, key: str) -> Any:
    """What a task instance pushed under a key; None: nothing."""
    try:
        from airflow.sdk.execution_time.xcom import XCom
    except ImportError:  # 2.11
        from airflow.models.xcom import XCom  # type: ignore[no-redef]
    return XCom.get_value(ti_key=ti_key, key=key)
