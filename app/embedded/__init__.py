"""The engines of the embedded default, and the embedding program of the appliance."""

import os

# ONNX Runtime 1.29 and newer reports its use to Microsoft unless this is set before the import.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
