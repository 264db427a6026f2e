"""How fast a client reads a log: a million lines from a server on this machine, that many bytes in each chunk.

PYTHONPATH=src python bench/lines.py [LINES]
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import socket
import sys
import time
from collections.abc import Callable
from multiprocessing.synchronize import Event as EventType

from airflow_provider_prewarm.api import calls
from airflow_provider_prewarm.api.client import AsyncClient, Client, parse
from airflow_provider_prewarm.api.connection import Server


def line(seq: int) -> bytes:
    """As the server writes it, with a text of 72 characters."""
    return (
        json.dumps(
            {
                "seq": seq,
                "time": "2026-11-22T09:00:01.204518Z",
                "engine_time": "2026-11-22T09:00:01.187334912Z",
                "stream": "stdout",
                "text": f"{seq:<72}",
            },
            separators=(",", ":"),
        ).encode()
        + b"\n"
    )


def serve(listener: socket.socket, lines: int, chunk: int, ready: EventType) -> None:
    """Answer each connection with the log, in chunks."""
    body = b"".join(map(line, range(1, lines + 1)))
    pieces = [body[i : i + chunk] for i in range(0, len(body), chunk)]
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
    ready.set()
    while True:
        connection, _ = listener.accept()
        with connection:
            connection.recv(1 << 16)
            connection.sendall(head)
            for piece in pieces:
                connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
            connection.sendall(b"0\r\n\r\n")


def split(server: Server) -> int:
    with Client(server) as client, client.lines(calls.read_log("r")) as lines:
        return sum(1 for _ in lines)


def parsed(server: Server) -> int:
    last = 0
    with Client(server) as client, client.lines(calls.read_log("r")) as lines:
        for each in lines:
            last = parse(each)["seq"]
    return last


def parsed_in_a_loop(server: Server) -> int:
    async def read() -> int:
        last = 0
        async with AsyncClient(server) as client, client.lines(calls.read_log("r")) as lines:
            async for each in lines:
                last = parse(each)["seq"]
        return last

    return asyncio.run(read())


def measure(name: str, read: Callable[[Server], int], server: Server, lines: int) -> None:
    begun, used = time.perf_counter(), time.process_time()
    got = read(server)
    seconds, used = time.perf_counter() - begun, time.process_time() - used
    assert got == lines, (got, lines)
    print(f"{name}: {lines / seconds / 1000:,.0f}k lines/s, {lines / used / 1000:,.0f}k in a second of CPU time")


def main() -> None:
    lines = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    for chunk in (1 << 10, 1 << 15, 1 << 17):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            server = Server(f"http://127.0.0.1:{listener.getsockname()[1]}")
            ready = multiprocessing.Event()
            process = multiprocessing.Process(target=serve, args=(listener, lines, chunk, ready), daemon=True)
            process.start()
            ready.wait()
            for name, read in (("split", split), ("parsed", parsed), ("parsed in a loop", parsed_in_a_loop)):
                measure(f"{chunk >> 10} KiB chunks, {name}", read, server, lines)
            process.terminate()
            process.join()


if __name__ == "__main__":
    main()
