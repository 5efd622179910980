#!/usr/bin/env bash
# Check a fresh instance of Offloader from outside: readiness, admin port, one endpoint, separation.
# It needs bash (3.2 is enough), curl, and the folder deploy-check: see docs/deploy-check.md.
{ set +axv; } 2>/dev/null # a trace, or the environment of a child, would show secrets
set -uf
LC_ALL=C # lengths are bytes, and what is printable is ASCII

PROBLEMS='' ADMIN_TOKEN='' KEY='' VALUE=''
EXIT=0 FAILED_FAMILY='' CHECKS='' PASSED=0 FAILED=0 SKIPPED=0
STATUS='' HEAD='' BODY='' META='' CAME='' KEY_LINE='' LEFT=''
VERSION='' ANSWERED='' SNAPSHOT_ID='' ID_IN_HEADER='' WATERMARK='' AGE='' STALE=''

# Where all files lie in one folder, as in a ConfigMap, the parts are beside this one.
PARTS=${BASH_SOURCE[0]%/*}
[[ $PARTS != "${BASH_SOURCE[0]}" ]] || PARTS=.
[[ ! -d $PARTS/deploy-check ]] || PARTS=$PARTS/deploy-check
for part in options report request readiness admin endpoint snapshot separation; do
    if [[ ! -r $PARTS/$part.sh ]]; then
        echo "deploy-check: $part.sh is missing: copy the folder deploy-check with this file" >&2
        exit 2
    fi
done
# shellcheck source=deploy-check/options.sh
. "$PARTS/options.sh"
# shellcheck source=deploy-check/report.sh
. "$PARTS/report.sh"
# shellcheck source=deploy-check/request.sh
. "$PARTS/request.sh"
# shellcheck source=deploy-check/readiness.sh
. "$PARTS/readiness.sh"
# shellcheck source=deploy-check/admin.sh
. "$PARTS/admin.sh"
# shellcheck source=deploy-check/endpoint.sh
. "$PARTS/endpoint.sh"
# shellcheck source=deploy-check/snapshot.sh
. "$PARTS/snapshot.sh"
# shellcheck source=deploy-check/separation.sh
. "$PARTS/separation.sh"

main() {
    local family
    read_environment
    read_arguments "$@"
    if [[ -n $OPT_HELP ]]; then
        usage
        exit 0
    fi
    [[ -n $PROBLEMS ]] || check_options
    if [[ -n $PROBLEMS ]]; then
        printf '%sdeploy-check: see --help\n' "$PROBLEMS" >&2
        exit 2
    fi
    exec 3>&1
    [[ $OPT_JSON != - ]] || exec >&2
    trap 'stopped 130' INT
    trap 'stopped 143' TERM
    if check_readiness; then
        check_admin
        check_endpoint
        check_separation
        check_snapshot
    else
        for family in admin endpoint separation snapshot; do
            skipped $family all 'it is not ready'
        done
    fi
    finish
}

main "$@"
