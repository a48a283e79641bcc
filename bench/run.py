"""The measurements of bench/README.md: `make bench`, or `make bench QUICK=1` for a short run of all of them.

Needs root, strongSwan and iperf3. Each figure of ours stands beside the same measurement of strongSwan in the
same run: on a shared machine only the ratio means something.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "packaging" / "demo"))

import datapath
import management
import throughput
import tunnel_setup
from figures import machine, table
from netlab.net import LabError, end_on_signals

BENCHES = {"setup": tunnel_setup.run, "throughput": throughput.run, "datapath": datapath.run, "netconf": management.run}


def main() -> int:
    arguments = argparse.ArgumentParser(description="Measure the gateway beside strongSwan.")
    arguments.add_argument("--quick", action="store_true", help="few tunnels, short runs: does it still work?")
    arguments.add_argument("--only", choices=sorted(BENCHES), action="append", help="only this one (repeat for more)")
    arguments.add_argument(
        "--kind", choices=["wsgd", "strongswan"], action="append", help="only this gateway (repeat for more)"
    )
    options = arguments.parse_args()
    print(f"Machine: {machine()}")
    figures, status = [], 0
    with end_on_signals():
        for name, bench in BENCHES.items():
            if options.only and name not in options.only:
                continue
            print(f"{name} ({time.strftime('%H:%M:%S')})", flush=True)
            try:
                figures += bench(options.quick, tuple(options.kind or ("strongswan", "wsgd")))
            except LabError as error:
                print(f"  {name} FAILED: {error}", file=sys.stderr, flush=True)
                status = 1
    print(f"\n{table(figures)}")
    return status


if __name__ == "__main__":
    sys.exit(main())
