"""What `celery -A bench.soak.worker` runs."""

from bench.soak import jobs

celery = jobs.celery()
