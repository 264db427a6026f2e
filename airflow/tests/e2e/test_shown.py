"""What Airflow shows of the provider: itself, its connection's form, its links."""

from __future__ import annotations

import json

from world import World, at_once


@at_once
def test_the_provider_is_listed(world: World) -> None:
    (told,) = [p for p in world.airflow.listed("providers", "list") if p["package_name"] == "airflow-provider-prewarm"]
    assert "warm" in told["description"].lower()
    (info,) = world.airflow.listed("providers", "get", "airflow-provider-prewarm", "--full")
    assert "connection-types" in json.dumps(info)


@at_once
def test_the_connection_has_a_form(world: World) -> None:
    forms = world.api.call("GET", "/ui/connections/hook_meta")
    (form,) = [f for f in forms if f["connection_type"] == "prewarm"]
    assert form["hook_name"] == "Prewarm"
    assert {"ca_cert", "client_cert", "client_key", "verify", "timeout"} <= set(form["extra_fields"])
    assert form["standard_fields"]["password"]["title"]


@at_once
def test_a_run_has_a_link_while_it_goes_on_and_after(world: World) -> None:
    for dag in ("sync", "deferred"):
        run = world.trigger(dag, f"linked-{dag}", lines=30, pause="500ms")
        made = world.started(run, "job", lines=2)
        (link,) = [url for url in run.links("job").values() if url]
        assert link.startswith("https://prewarm.example.com/")
        assert made["id"] in link
        run.wait()
        assert [url for url in run.links("job").values() if url] == [link]


@at_once
def test_xcoms_say_what_ran_where(world: World) -> None:
    run = world.trigger("sync", "xcoms")
    run.wait()
    (made,) = world.runs(run)
    told = run.xcom("job", "prewarm")
    assert told == {
        "run_id": made["id"],
        "image": "node-jobs",
        "pin": made["pin"],
        "digest": made["pin"].split("@")[1],
        "host": made["host"],
    }
    assert run.xcom("job") == "out 3"
