FROM python:3.12-slim AS build
WORKDIR /build
RUN python -m venv --without-pip /opt/offloader
COPY requirements.lock .
RUN pip --python /opt/offloader/bin/python install --no-cache-dir --require-hashes \
    --requirement requirements.lock
COPY LICENSE README.md pyproject.toml ./
COPY offloader offloader
RUN pip --python /opt/offloader/bin/python install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.12-slim
# The base comes without compiled modules, and none can be written at run time: compiled here,
# every process starts in half the time.
RUN python -m compileall -q -j 0 -x '/(ensurepip|idlelib|lib2to3|site-packages|test|tkinter)/' \
    /usr/local/lib/python3.12
# Group 0 may write too: a platform that picks the uid itself runs it in that group.
RUN install -d -o 10001 -g 0 -m 0775 /var/lib/offloader
COPY --from=build /opt/offloader /opt/offloader
ENV PATH=/opt/offloader/bin:$PATH PYTHONDONTWRITEBYTECODE=1
USER 10001:0
EXPOSE 4000 4001
VOLUME /var/lib/offloader
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-ISc", "import http.client, os; \
port = os.environ.get('OFFLOADER_ADMIN_PORT') or 4001; \
admin = http.client.HTTPConnection('127.0.0.1', int(port), timeout=4); \
admin.request('GET', '/live'); \
raise SystemExit(admin.getresponse().status != 200)"]
ENTRYPOINT ["offloader"]
CMD ["serve"]
