# Airflow with the provider. The build's context is the folder airflow of the
# repository; compose.yaml says so.
ARG AIRFLOW_VERSION
FROM apache/airflow:${AIRFLOW_VERSION}
COPY --chown=airflow:0 pyproject.toml README.md LICENSE /tmp/provider/
COPY --chown=airflow:0 src /tmp/provider/src
# Airflow is named again, so that pip can't choose another version of it.
ARG AIRFLOW_VERSION
RUN pip install --no-cache-dir "apache-airflow==${AIRFLOW_VERSION}" /tmp/provider
