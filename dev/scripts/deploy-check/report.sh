# shellcheck shell=bash
# What came of the checks: a line each, the exit code, the summary.

readonly MAX_SHOWN=200

# show TEXT: sets VALUE to what may be printed of it: no secret, one line, no escape of a terminal.
show() {
    local text=${1:0:8192} secret
    for secret in "$ADMIN_TOKEN" "$KEY"; do
        [[ -z $secret ]] || text=${text//"$secret"/(secret)}
    done
    text=${text:0:MAX_SHOWN}
    VALUE=${text//[![:print:]]/?}
}

# quote TEXT: sets VALUE to a string of JSON, or to null for the empty text.
quote() {
    local index char text
    show "$1"
    text=$VALUE VALUE='"'
    for ((index = 0; index < ${#text}; index++)); do
        char=${text:index:1}
        case $char in '"' | \\) VALUE+=\\ ;; esac
        VALUE+=$char
    done
    VALUE+='"'
    [[ -n $text ]] || VALUE=null
}

# members NAME TEXT ...: sets VALUE to the members of an object of JSON.
members() {
    local all=''
    while (($# > 0)); do
        quote "$2"
        all+="${all:+,}\"$1\":$VALUE"
        shift 2
    done
    VALUE=$all
}

note() {
    members family "$1" check "$2" result "$3" expected "$4" came "$5" to_do "$6"
    CHECKS+="${CHECKS:+,}{$VALUE}"
}

# passed FAMILY CHECK WORDS
passed() {
    note "$1" "$2" passed '' "$3" ''
    show "$3"
    echo "ok    $1 $2: $VALUE"
    PASSED=$((PASSED + 1))
}

# skipped FAMILY CHECK WHY
skipped() {
    note "$1" "$2" skipped '' "$3" ''
    echo "skip  $1 $2: $3"
    SKIPPED=$((SKIPPED + 1))
}

# failed FAMILY CHECK EXPECTED CAME TO_DO: the first one decides the exit code.
failed() {
    note "$1" "$2" failed "$3" "$4" "$5"
    show "$4"
    echo "FAIL  $1 $2: expected $3; came $VALUE; to do: $5"
    FAILED=$((FAILED + 1))
    ((EXIT == 0)) || return 0
    FAILED_FAMILY=$1
    case $1 in
        readiness) EXIT=10 ;; admin) EXIT=20 ;; endpoint) EXIT=30 ;;
        separation) EXIT=40 ;; snapshot) EXIT=50 ;; time) EXIT=60 ;;
    esac
}

summary() {
    local ok=true
    ((EXIT == 0)) || ok=false
    members gate deploy-check api_url "$OPT_API_URL" admin_url "$OPT_ADMIN_URL" \
        endpoint "$OPT_ENDPOINT" version "$VERSION" snapshot_id "$SNAPSHOT_ID" \
        watermark "$WATERMARK" failed_family "$FAILED_FAMILY"
    printf '{"format":1,"ok":%s,"exit_code":%s,%s,"stale":%s,"age_seconds":%s,' \
        $ok "$EXIT" "$VALUE" "${STALE:-null}" "${AGE:-null}"
    printf '"seconds":%s,"passed":%s,"failed":%s,"skipped":%s,"checks":[%s]}\n' \
        "$SECONDS" "$PASSED" "$FAILED" "$SKIPPED" "$CHECKS"
}

finish() {
    local counts="$PASSED passed, $FAILED failed, $SKIPPED skipped, $SECONDS s"
    trap '' INT TERM
    if ((EXIT == 0)); then
        echo "deploy-check passed: $counts"
    else
        echo "deploy-check FAILED with $EXIT, ${FAILED_FAMILY:-stopped}: $counts"
    fi
    case $OPT_JSON in
        '') ;;
        -) summary >&3 ;;
        *) { summary >"$OPT_JSON"; } 2>/dev/null || echo 'FAIL  the summary was not written' ;;
    esac
    exit "$EXIT"
}

# stopped EXIT: by a signal.
stopped() {
    EXIT=$1 FAILED_FAMILY=''
    finish
}
