# The service as an image: wheel built in one stage, installed in the other beside the parts of the lock, each checked by
# its hash; run as a user without rights, who writes to the state folder and to /tmp only.
FROM python:3.11-slim AS build
WORKDIR /src
COPY requirements-dev.lock .
RUN pip install --no-cache-dir --require-hashes -r requirements-dev.lock
COPY . .
RUN pip wheel --no-cache-dir --no-deps --no-build-isolation --no-index --wheel-dir /wheels .

FROM python:3.11-slim
COPY requirements.lock /
RUN pip install --no-cache-dir --require-hashes -r /requirements.lock
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir --no-index --no-deps /wheels/*.whl && rm -rf /wheels \
    && useradd --uid 10001 --create-home crs \
    && install --directory --owner=crs --group=crs --mode=700 /var/lib/crs-cds
ENV CRS_CDS_STATE_FOLDER=/var/lib/crs-cds MPLCONFIGDIR=/tmp/matplotlib
VOLUME /var/lib/crs-cds
USER crs
EXPOSE 5000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD python -c "import urllib.request as u; u.urlopen('http://127.0.0.1:5000/readyz', timeout=2)"
CMD ["crs-cds", "serve", "--host", "0.0.0.0", "--port", "5000", "--workers", "2"]
