"""The frame both APIs stand in."""
