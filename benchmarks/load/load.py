"""The load of `load.c` for machines without a C compiler: a process for each client, as threads would share one lock.

python load.py SOCKET CLIENTS SECONDS WARMUP_SECONDS < request

The clients then take more of the machine than they would in C, and every server looks slower by the same amount.
"""

from __future__ import annotations

import json
import multiprocessing
import socket
import sys
import time


def _is_whole(answer: bytes) -> bool:
    """Whether the head is complete and says that there is no body."""
    head, end, _ = answer.partition(b"\r\n\r\n")
    return bool(end) and b"\r\ncontent-length: 0\r\n" in head.lower() + b"\r\n"


def _one_event(path: str, request: bytes) -> bool:
    with socket.socket(socket.AF_UNIX) as sock:
        try:
            sock.connect(path)
            sock.sendall(request)
            answer = b""
            while not _is_whole(answer) and (piece := sock.recv(4096)):
                answer += piece
        except OSError:
            return False
        return answer.startswith((b"HTTP/1.1 200", b"HTTP/1.0 200"))


def _client(path: str, request: bytes, begin: float, end: float) -> tuple[list[float], int]:
    latencies: list[float] = []
    errors = 0
    while True:
        begun = time.monotonic()
        good = _one_event(path, request)
        now = time.monotonic()
        if now > end:
            return latencies, errors
        if begun < begin:
            continue
        if good:
            latencies.append((now - begun) * 1e6)
        else:
            errors += 1


def main() -> None:
    """Send, and print one JSON object."""
    path, clients, seconds, warmup = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
    request = sys.stdin.buffer.read()
    begin = time.monotonic() + 0.2 + warmup
    with multiprocessing.get_context("fork").Pool(clients) as pool:
        parts = pool.starmap(_client, [(path, request, begin, begin + seconds)] * clients, chunksize=1)
    latencies = sorted(latency for part, _ in parts for latency in part)
    count = len(latencies)
    print(
        json.dumps(
            {
                "requests": count,
                "errors": sum(errors for _, errors in parts),
                "seconds": seconds,
                "p50_us": round(latencies[count // 2], 1) if count else 0.0,
                "p99_us": round(latencies[count * 99 // 100], 1) if count else 0.0,
                "max_us": round(latencies[-1], 1) if count else 0.0,
            }
        )
    )


if __name__ == "__main__":
    main()
