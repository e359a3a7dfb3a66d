"""What both services build on: mathematics, the model file, the database, the web frame."""

import os

# onnxruntime tells its maker of every model it loads, unless it finds this when it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
