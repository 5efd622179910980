#!/bin/sh
# Run one Offloader on this machine. Set these outside, or change them in your copy; what is given
# as arguments goes to `docker run`, such as --env OFFLOADER_LOG_LEVEL=debug.
set -eu

: "${OFFLOADER_IMAGE:=ghcr.io/offloader/offloader:0.1.0}"
: "${CONTAINER:=offloader}"
: "${PROJECT:=$PWD/project}"
: "${ADMIN_TOKEN_FILE:=$PWD/secrets/admin_token}"
: "${CACHE_VOLUME:=offloader-cache}"
: "${API_ADDRESS:=0.0.0.0:4000}"
: "${ADMIN_ADDRESS:=127.0.0.1:4001}" # private: nobody but this machine
: "${MEMORY:=1g}"

# No swap on top of the memory: what does not fit is served from files instead.
# The stop waits longer than OFFLOADER_DRAIN_SECONDS and OFFLOADER_SHUTDOWN_SECONDS, 5 and 25.
exec docker run --detach --name "$CONTAINER" \
	--restart unless-stopped \
	--user 10001:0 \
	--read-only \
	--cap-drop ALL \
	--security-opt no-new-privileges \
	--memory "$MEMORY" --memory-swap "$MEMORY" \
	--stop-timeout 40 \
	--health-interval 10s --health-timeout 5s --health-start-period 60s --health-retries 3 \
	--log-driver json-file --log-opt max-size=10m --log-opt max-file=5 \
	--publish "$API_ADDRESS:4000" \
	--publish "$ADMIN_ADDRESS:4001" \
	--mount "type=bind,source=$PROJECT,target=/project,readonly" \
	--mount "type=bind,source=$ADMIN_TOKEN_FILE,target=/run/secrets/admin_token,readonly" \
	--mount "type=volume,source=$CACHE_VOLUME,target=/var/lib/offloader" \
	--env OFFLOADER_CONFIG=/project \
	--env OFFLOADER_CONFIG_SYNC_INTERVAL=30 \
	--env OFFLOADER_ADMIN_TOKEN_FILE=/run/secrets/admin_token \
	"$@" \
	"$OFFLOADER_IMAGE"
