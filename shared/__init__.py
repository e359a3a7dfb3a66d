"""What both services build on: mathematics, the model file, the database, the web frame."""
