"""A DAG file that can't be loaded."""

from airflow import nothing_of_this_name  # noqa: F401
