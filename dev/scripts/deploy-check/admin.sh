# shellcheck shell=bash
# The admin port: what it shows to everybody, and what only to who has the token.

check_admin() {
    local line=$'(^|\n)' end=$'(\.0)?(\n|$)' to_do='is --admin-url the admin port of Offloader?'
    shows live /live '"live": ?true' "$to_do"
    shows status /status '"service": ?"offloader"' "$to_do"
    check_version
    shows metrics /metrics "${line}offloader_up 1$end" "$to_do"
    check_diagnostics
}

# shows CHECK PATH PATTERN TO_DO: a route answers 200 with a body that holds a pattern.
shows() {
    ask "$OPT_ADMIN_URL$2"
    if [[ $STATUS != 200 ]]; then
        failed admin "$1" 'HTTP 200' "$CAME" "$4"
    elif ! has "$3"; then
        failed admin "$1" 'HTTP 200 of Offloader' "$CAME of something else" "$4"
    else
        passed admin "$1" 'HTTP 200'
    fi
}

# Reads the answer of /status.
check_version() {
    has '"version": ?"([A-Za-z0-9+.-]{1,50})"' && VERSION=${BASH_REMATCH[1]}
    [[ -n $OPT_EXPECT_VERSION ]] || return 0
    if [[ $OPT_EXPECT_VERSION == "$VERSION" ]]; then
        passed admin version "$VERSION"
    else
        failed admin version "version $OPT_EXPECT_VERSION" "version ${VERSION:-unknown}" \
            'is this the image that was to be deployed?'
    fi
}

check_diagnostics() {
    local to_do='give the token that the instance was started with'
    ask "$OPT_ADMIN_URL/diagnostics" "header = \"Authorization: Bearer $(escaped "$ADMIN_TOKEN")\""
    [[ $CAME != *no_admin_token ]] || to_do='start the instance with OFFLOADER_ADMIN_TOKEN_FILE'
    if [[ $STATUS == 200 ]] && has '"diagnostics_version"'; then
        passed admin diagnostics 'HTTP 200 with the token'
    else
        failed admin diagnostics 'HTTP 200 with the token' "$CAME" "$to_do"
    fi
    to_do='it is open to everybody: let nothing in front of the instance add the token'
    ask "$OPT_ADMIN_URL/diagnostics"
    refuses admin diagnostics_without_token '401 403' "$to_do"
    ask "$OPT_ADMIN_URL/diagnostics" "header = \"Authorization: Bearer wrong-$RANDOM$RANDOM\""
    refuses admin diagnostics_wrong_token '401 403' "$to_do"
}

# refuses FAMILY CHECK STATUSES TO_DO: the last answer has one of these.
refuses() {
    if [[ " $3 " == *" $STATUS "* ]]; then
        passed "$1" "$2" "$CAME"
    else
        failed "$1" "$2" "HTTP ${3// / or }" "$CAME" "$4"
    fi
}
