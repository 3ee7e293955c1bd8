"""The engines of the embedded default, and the program that embeds for the appliance."""

import os

# ONNX Runtime 1.29 and newer reports its use to Microsoft unless this is set before it is loaded.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
