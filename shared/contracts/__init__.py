"""Wire models: what travels between services, clients and files."""
