"""Pictures: frames in, charts out; they ask no service and draw in both themes."""

from altair.utils import schemapi

# Altair would check every part of a picture against its schema while it is put together: four fifths of the time.
schemapi.disable_debug_mode()
