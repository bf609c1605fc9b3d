"""What is counted in this process, for Prometheus; under gunicorn the counts of all processes are added up.

Labels are words of the code, such as the template of a route: never an id, nor anything that a visitor typed.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

REQUESTS = Counter("todos_requests", "Requests answered.", ["method", "route", "status"], registry=REGISTRY)
REQUEST_SECONDS = Histogram(
    "todos_request_seconds",
    "From the first byte of a request to the last one of its answer.",
    ["method", "route"],
    buckets=SECONDS,
    registry=REGISTRY,
)
STATEMENT_SECONDS = Histogram(
    "todos_statement_seconds", "Time that the database took for a statement.", buckets=SECONDS, registry=REGISTRY
)
CONNECTIONS_OPEN = Gauge(
    "todos_database_connections_open",
    "Connections to the database that are open.",
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
CONNECTIONS_USED = Gauge(
    "todos_database_connections_used",
    "Connections to the database that a request uses.",
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
UPLOADS = Counter("todos_uploads", "Files that were uploaded.", registry=REGISTRY)
UPLOAD_BYTES = Counter("todos_upload_bytes", "Bytes of the files that were uploaded.", registry=REGISTRY)
LOGINS = Counter("todos_logins", "Attempts to sign in with a password.", ["result"], registry=REGISTRY)
