"""The device side of the protocol, written without the client's codec: simulated breakers. Not used at run time."""

from .breaker import Breaker
from .faults import FAULTS, UnknownFault
from .fleet import Fleet
from .products import PRODUCTS

__all__ = ["Fleet", "Breaker", "PRODUCTS", "FAULTS", "UnknownFault"]
