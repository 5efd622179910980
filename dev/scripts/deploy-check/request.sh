# shellcheck shell=bash
# One request through curl: bounded in time and bytes, no redirect, nothing secret in an argument.

# escaped TEXT: writes a text as it stands between quotes in curl's config.
escaped() {
    local index char
    for ((index = 0; index < ${#1}; index++)); do
        char=${1:index:1}
        case $char in '"' | \\) char="\\$char" ;; esac
        printf %s "$char"
    done
}

# config SECONDS URL [LINE ...]: curl's config, through a pipe, for everybody sees arguments.
config() {
    printf '%s\n' silent include globoff 'noproxy = "*"' 'proto = "=http,https"' "url = \"$2\""
    printf '%s\n' "max-time = $1" "max-filesize = $OPT_MAX_BYTES" 'user-agent = "deploy-check"'
    [[ -z $OPT_CA_FILE ]] || printf 'cacert = "%s"\n' "$(escaped "$OPT_CA_FILE")"
    shift 2
    (($# == 0)) || printf '%s\n' "$@"
}

# ask URL [LINE ...]: sets STATUS (000 without an answer), HEAD, BODY, and CAME to that in words.
ask() {
    local raw='' ended
    LEFT=$((OPT_TIMEOUT - SECONDS))
    ((LEFT > 0)) || out_of_time
    ((LEFT < OPT_REQUEST_TIMEOUT)) || LEFT=$OPT_REQUEST_TIMEOUT
    STATUS=000 HEAD='' BODY=''
    if IFS= read -r -d '' -n $((OPT_MAX_BYTES + 8)) raw; then
        CAME='a NUL byte, or more than --max-bytes'
        return 0
    fi < <(
        config "$LEFT" "$@" | command curl --disable --config - 2>/dev/null
        printf '\n%s' $?
    )
    ended=${raw##*$'\n'} raw=${raw%$'\n'*}
    if [[ $ended == 0 ]]; then read_answer "$raw"; else came_of_curl "$ended"; fi
}

out_of_time() {
    failed time total "an end within $OPT_TIMEOUT s" 'none' 'see what hangs, or raise --timeout'
    finish
}

came_of_curl() {
    case $1 in
        1) CAME='something that is not HTTP' ;;
        6) CAME='no address for this host name' ;;
        7) CAME='no connection' ;;
        28) CAME="no whole answer within $LEFT s" ;;
        35 | 51 | 58 | 60 | 77 | 83) CAME='no TLS, or a certificate that is not trusted' ;;
        52 | 56) CAME='a closed connection' ;;
        63) CAME='more than --max-bytes' ;;
        *) CAME="no answer (curl ended with $1)" ;;
    esac
}

# read_answer RAW: takes headers and body apart.
read_answer() {
    local raw=$1 first='^HTTP/[0-9.]+ ([0-9]{3})'
    HEAD=${raw%%$'\r\n\r\n'*}
    while [[ $HEAD =~ $first && ${BASH_REMATCH[1]} == 1* && ${#HEAD} -lt ${#raw} ]]; do
        raw=${raw:$((${#HEAD} + 4))} # an interim answer comes before the one that counts
        HEAD=${raw%%$'\r\n\r\n'*}
    done
    BODY=${raw:$((${#HEAD} + 4))}
    if [[ ! $HEAD =~ $first ]]; then
        CAME='something that is not HTTP'
        return 0
    fi
    STATUS=${BASH_REMATCH[1]}
    CAME="HTTP $STATUS"
    case $STATUS in 30[12378]) CAME+=' (redirects are not followed)' ;; esac
    if [[ $STATUS == [45]* && ${BODY:0:4096} =~ \"code\":\ ?\"([a-z_]{1,40})\" ]]; then
        CAME+=" ${BASH_REMATCH[1]}"
    fi
}

# header NAME: sets VALUE to a header of the answer, empty without it.
header() {
    local pattern=$'\n'"$1:[ "$'\t'"]*([^"$'\r\n'"]*)"
    VALUE=''
    shopt -s nocasematch
    # shellcheck disable=SC2034 # read by the caller
    [[ $HEAD =~ $pattern ]] && VALUE=${BASH_REMATCH[1]}
    shopt -u nocasematch
}

# has PATTERN: whether the body holds this.
has() { [[ $BODY =~ $1 ]]; }
