# The image of `make image` for people with a container engine: the same tools, the same files, the same two layers
# (docs/image.md). The digest is the engine's own; only `make image` promises one.
#
#   docker build --build-arg REVISION="$(git rev-parse HEAD)" --build-arg CREATED="$(git log -1 --format=%cI)" -t remora:0.1.0 .
ARG BASE=debian:sid-slim
FROM ${BASE} AS build
COPY tools/newroot.sh /src/tools/newroot.sh
# The gRPC family of experimental over sid, as tools/newroot.sh makes its root.
RUN /src/tools/newroot.sh pin >/etc/apt/preferences.d/grpc.pref && \
    sed 's/^Suites: .*/Suites: experimental/' /etc/apt/sources.list.d/debian.sources \
        >/etc/apt/sources.list.d/experimental.sources && \
    apt-get update && \
    apt-get install -y --no-install-recommends $(/src/tools/newroot.sh packages)
COPY . /src
ARG REVISION=unknown
ARG SOURCE_DATE_EPOCH=0
RUN IMAGE_ROOT=host IMAGE_OUT=/out IMAGE_REVISION=${REVISION} SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH} \
        /src/tools/image/build.sh && \
    mkdir /system /program && \
    tar xf /out/layer-system.tar -C /system && \
    tar xf /out/layer-program.tar -C /program

FROM scratch
ARG REVISION=unknown
ARG CREATED=unknown
COPY --from=build /system/ /
COPY --from=build /program/ /
ENV PATH=/usr/bin
USER 65532:65532
WORKDIR /
EXPOSE 7360/tcp 7361/tcp 7362/tcp 7363/tcp
ENTRYPOINT ["/usr/bin/remora"]
CMD ["serve"]
LABEL org.opencontainers.image.title="remora" \
      org.opencontainers.image.description="An LLM gateway beside your service: gRPC and the OpenAI API on loopback" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
