"""The admin app: one place to run both services, through their APIs."""
