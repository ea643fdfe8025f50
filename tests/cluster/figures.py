#!/usr/bin/env python3
"""The rows of docs/kubernetes.md, "Figures", from what a run of the cluster tests has measured.

usage: figures.py FIGURES.json

FIGURES.json is what REMORA_CLUSTER_FIGURES named in that run. A row whose figures were not measured is left out. Run on a quiet
machine, with the image there already, in three minutes:

    REMORA_CLUSTER_IMAGE=IMAGE.tar REMORA_CLUSTER_FIGURES=/tmp/figures.json \\
        tests/cluster/run.sh -k "test_figures or next_request or ready_before or last_container or job_with or rotated"
    tests/cluster/figures.py /tmp/figures.json
"""
import json
import sys


def seconds(ms):
    return "%.1f s" % (ms / 1000)


def three(f, key):
    """Idle, and at 50 calls/s over HTTP and over gRPC."""
    return " / ".join("%.1f MiB" % f["memory %s, MiB" % when][key] for when in ("idle", "at 50 HTTP calls/s", "at 50 gRPC calls/s"))


def thousand(f, key):
    return " / ".join("%.1f GiB" % gib for gib in f["%s memory of 1,000 pods, GiB" % key])


def of_upgrade(f):
    found = [(major, f["calls during upgrade and rollback with Helm %d, failed ones" % major]) for major in (3, 4)]
    return ", ".join("{1} of {0:,} (Helm {2})".format(*counts, major) for major, counts in found)


ROWS = [
    ("image", lambda f: "%.1f MiB packed, %.1f MiB as tars of its layers" % tuple(f["image, MiB packed and unpacked"])),
    ("resident memory of the sidecar: one call made / at 50 HTTP calls/s / at 50 gRPC calls/s (2,000 calls each)",
     lambda f: three(f, "resident")),
    ("the kubelet's working set of its container, the same", lambda f: three(f, "working set")),
    ("CPU at 50 calls/s, HTTP / gRPC",
     lambda f: " / ".join("%.1f %% of a core" % f["CPU at 50 %s calls/s, percent of one" % api] for api in ("HTTP", "gRPC"))),
    ("memory of 1,000 such pods, computed from the resident memory: more than they take", lambda f: thousand(f, "resident")),
    ("the same, computed from the working set", lambda f: thousand(f, "working set")),
    ("start that the sidecar adds to a pod (median of 5)", lambda f: seconds(f["start that the sidecar adds, ms"])),
    ("Remora is ready to the next container starts",
     lambda f: seconds(f["ready to start of the next container, ms"]) + ": up to 1 s of it is the period of the startup probe"),
    ("last container of the application gone to the sidecar told and gone",
     lambda f: "%.2f s" % ((f["termination, ms after the application's SIGTERM"]["sidecar left"]
                            - f["termination, ms after the application's SIGTERM"]["application left"]) / 1000)),
    ("Job with the sidecar, created to complete", lambda f: "%.1f s" % f["Job, created to complete, s"]),
    ("ConfigMap changed to seen by a request", lambda f: seconds(f["ConfigMap changed to seen by a request, ms"])),
    ("key's Secret changed to used for a call", lambda f: "%.1f s" % f["Secret changed to used for a call, s"]),
    ("calls that failed in the rotation of a key",
     lambda f: "{1} of {0:,}".format(*f["calls during the rotation of a key, failed ones"])),
    ("calls and streams that failed in an upgrade and a rollback of the gateway", of_upgrade),
]


def rows(figures):
    for what, text in ROWS:
        try:
            yield "| %s | %s |" % (what, text(figures))
        except KeyError:
            continue


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    with open(sys.argv[1]) as text:
        print("\n".join(rows(json.load(text))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
