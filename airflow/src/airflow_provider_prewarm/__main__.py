"""``python -m airflow_provider_prewarm COMMAND``."""

from __future__ import annotations

import sys

from airflow_provider_prewarm.check.cli import main

if __name__ == "__main__":
    sys.exit(main())
