"""The device side of the protocol, written without the client's codec: simulated breakers. Not used at run time.

Only loop, line, place and announce know sockets; only frames and ciphers know bytes of the protocol; breaker, meter and
products know what DPs mean and no protocol. Arrows go one way: fleet -> station -> incidents -> place -> line ->
session -> breaker -> meter; a breaker reaches what surrounds it through `outside` alone.
"""

from .breaker import Breaker
from .faults import FAULTS, UnknownFault
from .fleet import Fleet
from .products import PRODUCTS

__all__ = ["Fleet", "Breaker", "PRODUCTS", "FAULTS", "UnknownFault"]
