# syntax=docker/dockerfile:1.7
# One image for every role of `talon`. The binary brings its models, agents and tool server; the rest is read-only.

FROM rust:1.95.0-slim-bookworm AS build
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev make && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --release --locked --package talon && cp target/release/talon /talon

FROM debian:bookworm-20260824-slim
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates curl && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 8400 --home-dir /data --shell /usr/sbin/nologin talon \
    && install --directory --owner talon --group talon /data
COPY --from=build /talon /usr/local/bin/talon
USER 8400:8400
ENV TALON_DATA_DIR=/data TALON_CONFIG=/etc/openclaw/talon.yml
WORKDIR /data
EXPOSE 8400
HEALTHCHECK --interval=10s --timeout=3s --start-period=120s CMD ["curl", "-fsS", "http://127.0.0.1:8400/readyz"]
ENTRYPOINT ["talon"]
CMD ["serve"]
