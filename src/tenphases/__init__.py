"""Shared models, data, training loops and exercise checks of Ten Phases."""

from importlib.metadata import version

from tenphases.notebook import glue
from tenphases.repro import artifact, budget, get_device, set_seed

__version__ = version("tenphases")
__all__ = ["artifact", "budget", "get_device", "glue", "set_seed"]
