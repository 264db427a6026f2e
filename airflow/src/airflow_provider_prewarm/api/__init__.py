"""Prewarm's HTTP API: its calls as data (``calls``), who sends them (``client``), where to (``connection``).

What its refusals advise is said in Airflow's words (``mends``).
"""
