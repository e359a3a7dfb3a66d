"""What decides, writes twice or touches files."""
