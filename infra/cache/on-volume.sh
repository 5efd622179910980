#!/bin/sh
# Run `offloader cache …` on the volume of a container that is stopped, with its own image:
#   CONTAINER=offloader ./on-volume.sh status --verify
set -eu

: "${CONTAINER:=offloader}"

exec docker run --rm \
	--user 10001:0 \
	--read-only \
	--cap-drop ALL \
	--security-opt no-new-privileges \
	--network none \
	--no-healthcheck \
	--volumes-from "$CONTAINER" \
	"$(docker inspect --format '{{.Config.Image}}' "$CONTAINER")" \
	cache "$@"
