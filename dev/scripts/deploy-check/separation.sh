# shellcheck shell=bash
# Neither port answers the routes of the other one.

readonly ADMIN_ROUTES='live ready status metrics diagnostics runbooks docs openapi.json schema
console.json console-details.json console.css console.js access.js actions.js charts.js morph.js
console.svg'
readonly ACTIONS='refresh rollback pin unpin rebuild quarantine'

check_separation() {
    local name paths=/ actions='' before=$FAILED count=1
    local to_do='let no way lead from the API address to the admin port: see ports and proxy rules'
    for name in $ADMIN_ROUTES "schema/$OPT_ENDPOINT"; do
        paths+=" /$name" count=$((count + 1))
    done
    for name in $ACTIONS; do
        actions+=" /datasets/deploy_check/$name" count=$((count + 1))
    done
    absent admin_on_api "$OPT_API_URL" '' "$to_do" "$paths"
    # Without the token: if it did lead there, it would be refused.
    absent admin_on_api "$OPT_API_URL" 'data = ""' "$to_do" "$actions"
    ((FAILED > before)) || passed separation admin_on_api "$count routes, each HTTP 404"
    before=$FAILED to_do='is --admin-url the admin port, or a proxy for both?'
    absent api_on_admin "$OPT_ADMIN_URL" '' "$to_do" "/healthz /v1/endpoints/$OPT_ENDPOINT"
    ((FAILED > before)) || passed separation api_on_admin '2 routes, each HTTP 404'
}

# absent CHECK URL LINE TO_DO PATHS: nothing answers there. One curl asks for all of them; what
# does answer is asked again, to tell what came.
absent() {
    local path code
    for path in $5; do
        # One second later than curl gives up, which then writes 000.
        IFS= read -r -t $((OPT_REQUEST_TIMEOUT + 1)) code || code=''
        [[ $code != 404 ]] || continue
        ask "$2$path" "$3"
        [[ $STATUS == 404 ]] || failed separation "$1" "HTTP 404 at $path" "$CAME" "$4"
    done < <(configs "$2" "$3" "$5" | command curl --disable --config - 2>/dev/null)
}

# configs URL LINE PATHS: curl's config for all paths; it writes a status each.
configs() {
    local path between=''
    for path in $3; do
        printf %s "$between"
        config "$OPT_REQUEST_TIMEOUT" "$1$path" "$2" no-include \
            'output = "/dev/null"' 'write-out = "%{http_code}\n"'
        between=$'next\n'
    done
}
