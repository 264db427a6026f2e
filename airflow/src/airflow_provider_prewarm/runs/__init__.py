"""One try at a task, from its submit to its outcome.

An operator makes an ``Attempt`` of itself and executes it (``attempt``): it asks for its run (``ask``), follows the log
(``follow``) and prints it (``printer``), ends as the run ended (``settle``), and does what Airflow's kill means
(``kill``). Beside them stands what is pure: key and epoch (``task``), keepalive and deadline (``terms``), parameters
(``values``), a line's level (``lines``), an outcome's exception (``outcome``).

A DAG file's parse imports none of the former: that is what keeps it short.
"""
