"""The training service: asks in, proved models out."""

import os

# Threads of a fit that wait by spinning take the processor from the others, and from live predictions. Read by libgomp
# when it is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
