"""``python -m airflow_provider_prewarm check``: what changes when DAGs move to PrewarmDockerOperator.

DAGs are loaded as Airflow loads them, their operators are read into plain data (``load``, ``find``), their text is read
beside that (``source``), rules say what becomes of each parameter (``rules``, ``hosts``, ``images``, ``policy``,
``subclasses``), and a report is made of it (``report``, ``text``). No file is changed, and no task is executed.
"""
