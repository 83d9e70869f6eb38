#!/usr/bin/env python3
"""gevent (Debian: python3-gevent) as one of the peers: see peer.h."""

import statistics
import sys
import time

import gevent
import gevent.queue
import gevent.server


def median(run, n):
    costs = []
    for _ in range(9):
        start = time.process_time_ns()
        run(n)
        costs.append((time.process_time_ns() - start) / n)
    return statistics.median(costs)


def switches(n):
    def yield_often():
        for _ in range(n // 2):
            gevent.sleep(0)

    gevent.joinall([gevent.spawn(yield_often), gevent.spawn(yield_often)])


def spawns(n):
    for _ in range(n):
        gevent.spawn(int).join()


def round_trips(n):
    there, back = gevent.queue.Channel(), gevent.queue.Channel()

    def answer():
        for _ in range(n):
            back.put(there.get())

    gevent.spawn(answer)
    for value in range(n):
        there.put(value)
        back.get()


def memory_now():
    with open("/proc/self/status", encoding="ascii") as status:
        lines = [line.split() for line in status]
    return sum(int(words[1]) * 1024 for words in lines if words[0] in ("VmRSS:", "VmPTE:"))


def sleepers(n):
    before = memory_now()
    kept = [gevent.spawn(gevent.sleep, 3600) for _ in range(n)]
    gevent.sleep(0)
    print("sleeper", (memory_now() - before) // len(kept))


def echo(conn, _address):
    while data := conn.recv(4096):
        conn.sendall(data)


def main(arguments):
    if arguments == ["moves"]:
        print(f"switch {median(switches, 50000):.1f}")
        print(f"spawn {median(spawns, 20000):.1f}")
        print(f"round-trip {median(round_trips, 20000):.1f}")
    elif len(arguments) == 2 and arguments[0] == "sleepers":
        sleepers(int(arguments[1]))
    elif len(arguments) == 2 and arguments[0] == "echo":
        gevent.server.StreamServer(("127.0.0.1", int(arguments[1])), echo).serve_forever()
    else:
        sys.exit("usage: peer_gevent.py moves | sleepers N | echo PORT")


main(sys.argv[1:])
