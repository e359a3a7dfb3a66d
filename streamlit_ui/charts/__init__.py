"""Pictures: frames in, charts out; they ask no service and draw in both themes."""
