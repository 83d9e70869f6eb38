#!/usr/bin/env python3
"""Counts test results: tests/tally.py FILE prints "PASSED FAILED SKIPPED" of a log.

FILE is meson's testlog.json (tests that speak TAP count by test point, others by program) or TAP
text. The output of what failed and the reasons of what was skipped go to stderr.
"""

import json
import re
import sys

POINT = re.compile(r"^(not )?ok\b(.*)$", re.M)
SKIP = re.compile(r"# *skip\b:? *(.*)", re.I)


def count_points(text):
    """The test points of one TAP stream, as [passed, failed, skipped]."""
    counts = [0, 0, 0]
    for failed, rest in POINT.findall(text):
        skip = SKIP.search(rest)
        counts[2 if skip else 1 if failed else 0] += 1
        if skip:
            print(f"skipped: {rest.split('#')[0].strip(' -')}: {skip[1]}", file=sys.stderr)
    return counts


def count_program(run):
    """One program that meson ran; one that dies counts as a failure beside the points it passed."""
    counts = count_points(run["stdout"])
    if run["result"] == "SKIP" and sum(counts) == 0:
        print(f"skipped: {run['name']}", file=sys.stderr)
        return [0, 0, 1]
    if run["result"] in ("OK", "EXPECTEDFAIL"):
        return counts if sum(counts) else [1, 0, 0]
    if run["returncode"] == 0 and counts[2] and not counts[1]:
        return counts  # cmocka says "not ok # SKIP", which meson takes for a failure
    print(f"--- {run['name']}: {run['result']} (exit status {run['returncode']})", file=sys.stderr)
    print("\n".join(run["stdout"].splitlines()[-60:]), file=sys.stderr)
    print("\n".join(run.get("stderr", "").splitlines()[-60:]), file=sys.stderr)
    counts[1] = max(counts[1], 1)
    return counts


def whole_lines(file):
    """What meson wrote; if it was stopped amidst a line, the programs before."""
    for line in file:
        try:
            yield json.loads(line)
        except ValueError:
            print(f"--- the log ends amidst {line[:60]}...", file=sys.stderr)


def main():
    total = [0, 0, 0]
    with open(sys.argv[1], encoding="utf-8", errors="replace") as file:
        if sys.argv[1].endswith(".json"):
            parts = [count_program(run) for run in whole_lines(file)]
        else:
            parts = [count_points(file.read())]
    for part in parts:
        total = [a + b for a, b in zip(total, part)]
    print(*total)


if __name__ == "__main__":
    main()
