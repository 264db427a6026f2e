"""Run tasks on warm, digest-pinned images with Prewarm, from Apache Airflow."""

from __future__ import annotations

__version__ = "0.1.0"
