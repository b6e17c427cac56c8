# docker build -t latentdb .
# docker run -p 7700:7700 -v latentdb:/data latentdb --insecure            # a network of one's own
# docker run -p 7700:7700 -v latentdb:/data -v ./tls:/tls:ro latentdb --tls-cert /tls/cert.pem --tls-key /tls/key.pem
#
# Beyond this machine the server takes keys and TLS, or says --insecure. A key, made while it runs or before:
#   docker run --rm -v latentdb:/data --entrypoint latentdb latentdb key create NAME --role admin --data /data
FROM rust:1-bookworm AS build
WORKDIR /source
COPY . .
RUN cargo build --profile dist --locked --bin latentdb

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /data latentdb \
    && install -d -o latentdb -g latentdb /data /cache
COPY --from=build /source/target/dist/latentdb /usr/local/bin/latentdb
USER latentdb
ENV LATENTDB_CACHE=/cache HF_HOME=/cache/hub
VOLUME ["/data", "/cache"]
EXPOSE 7700
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD ["latentdb", "health", "--server", "127.0.0.1:7700"]
ENTRYPOINT ["latentdb", "serve", "--data", "/data", "--listen", "0.0.0.0:7700"]
