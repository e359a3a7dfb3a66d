"""The whole story in one command, on rows of a file or of a simulated market."""
