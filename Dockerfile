# docs/image.md says what this makes, how large it is, and how it is run.
FROM python:3.12-slim AS base

# All is made on the machine that builds, for the platform that is asked for: nothing of the result
# is run, packages come as wheels, and compiled modules are the same everywhere.
FROM --platform=$BUILDPLATFORM python:3.12-slim AS build
ARG TARGETARCH
ENV PYTHONHASHSEED=0 SITE=/opt/offloader/lib/python3.12/site-packages
WORKDIR /build
RUN python -m venv --without-pip /opt/offloader \
    && rm /opt/offloader/bin/[Aa]ctivate* \
    && install -d /dependencies/opt \
    && cp -a /opt/offloader /dependencies/opt/
COPY requirements.lock ./
RUN case "$TARGETARCH" in \
        arm64) machine=aarch64 ;; \
        amd64) machine=x86_64 ;; \
        *) echo "no image for '$TARGETARCH': amd64 and arm64 only" >&2; exit 1 ;; \
    esac \
    && for tag in manylinux2014 manylinux_2_17 manylinux_2_24 manylinux_2_26 manylinux_2_27 \
        manylinux_2_28; do set -- "$@" --platform "${tag}_$machine"; done \
    && pip install "$@" --only-binary :all: --require-hashes --requirement requirements.lock \
        --no-cache-dir --no-compile --target "/dependencies$SITE"

FROM build AS dependencies
COPY dev/image/slim.py dev/image/finish.py ./
RUN python slim.py "/dependencies$SITE"
# The base comes without compiled modules, and none can be written at run time: without these,
# importing the server takes 0.9 s instead of 0.5.
RUN --mount=type=bind,from=base,source=/usr/local/lib/python3.12,target=/mnt \
    python finish.py /dependencies /mnt

# The package has a layer of its own: a release that leaves its dependencies alone is small.
FROM build AS package
COPY LICENSE README.md pyproject.toml ./
COPY offloader offloader
RUN PYTHONPATH="/dependencies$SITE" pip --python /opt/offloader/bin/python install . \
        --no-deps --no-build-isolation --no-cache-dir --no-compile --no-warn-script-location \
        --root /package
# Anyone may write there: whatever user a platform picks, its volume begins as this folder is.
RUN install -d -o 10001 -g 0 -m 1777 /package/var/lib/offloader
COPY dev/image/finish.py ./
RUN python finish.py /package

FROM base
ENV PATH=/opt/offloader/bin:$PATH PYTHONDONTWRITEBYTECODE=1
COPY --from=dependencies /dependencies/ /
COPY --from=package /package/ /
USER 10001:0
EXPOSE 4000 4001
VOLUME /var/lib/offloader
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-ISc", "import http.client, os; \
host = os.environ.get('OFFLOADER_ADMIN_HOST') or '0.0.0.0'; \
port = os.environ.get('OFFLOADER_ADMIN_PORT') or 4001; \
host = {'0.0.0.0': '127.0.0.1', '::': '::1'}.get(host, host); \
admin = http.client.HTTPConnection(host, int(port), timeout=4); \
admin.request('GET', '/live'); \
raise SystemExit(admin.getresponse().status != 200)"]
ENTRYPOINT ["offloader"]
CMD ["serve"]
ARG VERSION=0.1.0
ARG REVISION=
ARG CREATED=
LABEL org.opencontainers.image.title="Offloader" \
    org.opencontainers.image.source="https://github.com/offloader/offloader" \
    org.opencontainers.image.description="Serve warehouse snapshots to a product, out of shared memory" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.base.name="python:3.12-slim" \
    org.opencontainers.image.version="$VERSION" \
    org.opencontainers.image.revision="$REVISION" \
    org.opencontainers.image.created="$CREATED"
