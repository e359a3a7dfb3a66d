"""The typed client of both services: one function a route, wire models in, wire models out."""
