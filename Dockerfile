# One image for every process: tools/container.py has its commands, docs/install.md says how to build and run it.
# Of python:3.13.15-slim-trixie, both platforms. A newer base: docker buildx imagetools inspect python:3.13-slim shows its digest.
ARG PYTHON_IMAGE=docker.io/library/python:3.13-slim@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b

FROM ${PYTHON_IMAGE} AS build
WORKDIR /app
RUN python -m venv --without-pip /venv
COPY requirements.txt ./
# every package is a wheel whose checksum is known: nothing is compiled, nothing of another origin gets in
RUN pip --python /venv/bin/python install --no-cache-dir --disable-pip-version-check \
        --require-hashes --only-binary :all: --requirement requirements.txt \
    && find /venv \( -name '*.pyi' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.c' -o -name '*.h' -o -name '*.map' -o -name '*.po' \) -delete \
    && find /venv/lib -type d \( -name tests -o -name testing \) -prune -exec rm -r {} + \
    # of Babel's 30 MB those languages that Flask-AppBuilder speaks
    && find /venv/lib -path '*/babel/locale-data/*.dat' -regextype posix-extended \
        ! -regex '.*/(root|de|el|en|es|fa|fr|it|ja|ko|nl|pl|pt|ru|sl|tr|zh)(_.*)?\.dat' -delete
COPY . .
# the root file system is read-only where it runs: what Python would cache is made here
RUN /venv/bin/python -m compileall -q --invalidation-mode unchecked-hash . && mkdir /empty

FROM ${PYTHON_IMAGE}
ARG VERSION=0.0.0
ARG REVISION=unknown
ARG CREATED=unknown
ARG SOURCE=unknown
LABEL org.opencontainers.image.title="Todos" \
      org.opencontainers.image.description="A back office for todos" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="${SOURCE}"
COPY --from=build /venv /venv
COPY --from=build /app /app
COPY --from=build --chown=10001:10001 /empty /app/var
WORKDIR /app
# the base image has Python's own library uncompiled, to be compiled in every process on a read-only root: of it what we use
RUN APP_ENV=development /venv/bin/python -c \
        "import run, tools.container, gunicorn.arbiter, gunicorn.workers.gthread, celery.apps.worker, celery.apps.beat"
# neither a secret nor a key has a default: the program says what is missing and ends
ENV PATH=/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    FLASK_APP=run \
    HOST=0.0.0.0 \
    PORT=5000
USER 10001:10001
VOLUME /app/var
EXPOSE 5000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=15s --start-period=30s CMD ["python", "-m", "tools.health"]
ENTRYPOINT ["python", "-m", "tools.container"]
CMD ["web"]
