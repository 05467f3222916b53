"""python3 -m tuya simulate: serves simulated breakers on loopback until it is told to end. Knows no protocol.

stdout holds one JSON document, a devices.json of what is served, printed when all of it listens. Everything else goes
to stderr. Commands are read from stdin while it runs; the end of stdin ends nothing.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from types import FrameType
from typing import Optional

from tuya.simulator import PRODUCTS, Fleet
from tuya.simulator.frames import VERSIONS

SIGNALS = (signal.SIGINT, signal.SIGTERM)
COUNT_LIMIT = 200


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `simulate`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    products = "\n".join(f"  {product.product_id:18} {product.model}" for product in PRODUCTS.values())
    parser.epilog = f"products:\n{products}"
    parser.add_argument("--product", nargs="+", default=["jdj6ccklup7btq3a"], metavar="ID", help="dealt out in turn")
    parser.add_argument("--version", nargs="+", default=["3.4"], choices=VERSIONS, help="dealt out in turn")
    parser.add_argument("--count", type=int, default=1, metavar="N", help="how many breakers (default 1)")
    parser.add_argument("--port", type=int, default=0, metavar="P", help="first of N ports; default: any free ones")
    parser.add_argument("--host", default="127.0.0.1", metavar="127.x.y.z", help="a loopback address")
    parser.add_argument("--announce", action="store_true", help="announce on UDP 6666, 6667 and 7000, on loopback only")
    parser.add_argument("--load", type=float, default=100.0, metavar="W", help="what hangs on each (default 100)")
    parser.add_argument("--noise", type=float, default=1.0, metavar="X", help="1 as on real mains, 0 exact")
    parser.add_argument("--seed", metavar="TEXT", help="the same ids and keys each time")


def run(args: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM. Returns 0; 2 for arguments that cannot be, 1 for a port in use."""
    ended = threading.Event()

    def end(number: int, frame: Optional[FrameType]) -> None:
        del number, frame
        ended.set()

    if not 1 <= args.count <= COUNT_LIMIT:
        print(f"simulate: --count is 1 to {COUNT_LIMIT}", file=sys.stderr)
        return 2
    try:
        fleet = Fleet(
            product=args.product,
            version=args.version,
            count=args.count,
            host=args.host,
            port=args.port,
            announce=args.announce,
            load_w=args.load,
            noise=args.noise,
            seed=args.seed,
        )
    except ValueError as error:
        print(f"simulate: {error}", file=sys.stderr)
        return 2
    for number in SIGNALS:
        signal.signal(number, end)
    try:
        fleet.start()
    except OSError as error:
        print(f"simulate: cannot listen: {error}. Choose another --port", file=sys.stderr)
        return 1
    try:
        print(json.dumps(fleet.devices(), indent=2), flush=True)
        while not ended.wait(3600.0):
            pass
    finally:
        fleet.stop()
    return 0
