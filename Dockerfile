# The service as an image: wheel built in one stage, installed in the other, run as a user without rights.
FROM python:3.11-slim AS build
WORKDIR /src
COPY . .
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.11-slim
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir /wheels/*.whl && rm -rf /wheels && useradd --create-home crs \
    && install --directory --owner=crs --group=crs --mode=700 /var/lib/crs-cds
ENV CRS_CDS_STATE_FOLDER=/var/lib/crs-cds
VOLUME /var/lib/crs-cds
USER crs
EXPOSE 5000
HEALTHCHECK CMD python -c "import urllib.request as u; u.urlopen('http://127.0.0.1:5000/readyz', timeout=2)"
CMD ["crs-cds", "serve", "--host", "0.0.0.0", "--port", "5000", "--workers", "2"]
