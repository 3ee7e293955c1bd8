"""What this process has counted, in Prometheus's text format (0.0.4)."""

from prometheus_client import (
    CONTENT_TYPE_PLAIN_0_0_4,
    GC_COLLECTOR,
    PLATFORM_COLLECTOR,
    REGISTRY,
    disable_created_metrics,
    generate_latest,
)

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

# The process's start time is also the start of its counters, so a second series for each counter is superfluous.
disable_created_metrics()  # type: ignore[no-untyped-call]
# Operators cannot act on Python's version and garbage collector.
REGISTRY.unregister(PLATFORM_COLLECTOR)
REGISTRY.unregister(GC_COLLECTOR)


def metrics_text() -> bytes:
    return generate_latest(REGISTRY)
