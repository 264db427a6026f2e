"""A DAG that runs when a new digest of an image has gone live, on just that digest. Airflow 3.

No clock and no webhook of Airflow's is needed: CI pushes the image, Prewarm warms it on the hosts and promotes it, and
the watcher tells Airflow. On 3.3 what goes live while no triggerer runs is told later.
Triggered by hand, the DAG takes what is current.
"""

from __future__ import annotations

import os
from datetime import datetime, timezone

from airflow.sdk import DAG, Asset, AssetWatcher

from airflow_provider_prewarm.operators.run import PrewarmRunOperator
from airflow_provider_prewarm.triggers.image import PrewarmImageTrigger

# The entry of Prewarm's configuration. Its program: `node /app/job.js LINES PAUSE_MS`.
IMAGE = os.environ.get("PREWARM_EXAMPLE_NODE", "node-jobs")

live = Asset(name="example_image_live", watchers=[AssetWatcher(name="live", trigger=PrewarmImageTrigger(IMAGE))])

with DAG(
    "example_asset",
    schedule=[live],
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    tags=["example", "prewarm"],
):
    # Several promotions may have made one DAG run, which has them in no certain order: the newest is taken. The payload
    # has image, tag, digest, old_pin and promoted_at, too.
    smoke = PrewarmRunOperator(
        task_id="smoke_test",
        image=(
            "{% if triggering_asset_events %}"
            "{{ (triggering_asset_events.values() | first | sort(attribute='timestamp') | last).extra.payload.pin }}"
            "{% else %}" + IMAGE + "{% endif %}"
        ),
        command=["2", "50"],
        retries=1,
    )
