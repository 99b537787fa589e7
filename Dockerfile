# syntax=docker/dockerfile:1
# Two images from one lock: `api` without torch (also for tick and migrate), and `worker` with it:
# torch's own wheels bring CUDA, and run on the CPU where there is no GPU.

FROM python:3.11-slim-bookworm AS python
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1


FROM python AS api-libraries
ENV VIRTUAL_ENV=/opt/vision \
    UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_NO_CACHE=1 \
    UV_PYTHON_DOWNLOADS=never
RUN pip install --no-cache-dir uv && uv venv "$VIRTUAL_ENV"
WORKDIR /source
# Libraries before our own code: a change of ours installs none of them again.
COPY pyproject.toml requirements.lock ./
RUN uv pip install --constraints requirements.lock --requirements pyproject.toml


FROM api-libraries AS worker-libraries
RUN uv pip install --constraints requirements.lock --requirements pyproject.toml --extra models --extra timm


FROM api-libraries AS wheel
COPY README.md LICENSE ./
COPY vision vision
COPY workers workers
COPY api api
RUN uv build --wheel --out-dir /wheel


FROM api-libraries AS api-build
RUN --mount=from=wheel,source=/wheel,target=/wheel uv pip install --no-deps /wheel/*.whl


FROM worker-libraries AS worker-build
RUN --mount=from=wheel,source=/wheel,target=/wheel uv pip install --no-deps /wheel/*.whl


FROM python AS service
RUN groupadd --gid 10001 vision \
    && useradd --uid 10001 --gid vision --no-create-home --home-dir /nonexistent vision \
    && install --directory --owner=vision --group=vision /data /models
ENV PATH=/opt/vision/bin:$PATH \
    VISION_DATA_DIR=/data \
    VISION_MODELS_DIR=/models
WORKDIR /opt/vision
USER 10001:10001


FROM service AS api
COPY --from=api-build /opt/vision /opt/vision
ENV VISION_HOST=0.0.0.0 \
    VISION_PORT=8000
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
CMD ["vision", "api"]


FROM service AS worker
USER root
# What OpenCV's wheel leaves to the system.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgl1 libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/*
USER 10001:10001
COPY --from=worker-build /opt/vision /opt/vision
# No worker ever asks a hub: weights come by `vision models pull`, in the API's container.
ENV HF_HUB_OFFLINE=1 \
    NUMBA_CACHE_DIR=/tmp/numba
# Healthy means: the process that holds the models lives. Celery keeps it as a child of process 1.
HEALTHCHECK --interval=15s --timeout=5s --start-period=120s \
    CMD ["grep", "-q", "[0-9]", "/proc/1/task/1/children"]
CMD ["vision", "worker"]
