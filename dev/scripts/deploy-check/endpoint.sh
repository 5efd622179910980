# shellcheck shell=bash
# One endpoint: its answer, its ETag, and that it needs the key.

readonly META_BYTES=4096
readonly ACCEPT='header = "Accept: application/json"'

check_endpoint() {
    local url="$OPT_API_URL/v1/endpoints/$OPT_ENDPOINT${OPT_QUERY:+?$OPT_QUERY}"
    [[ -n $OPT_PUBLIC ]] || KEY_LINE="header = \"Authorization: Bearer $(escaped "$KEY")\""
    ask "$url" "$KEY_LINE" "$ACCEPT"
    header content-type
    read_meta
    if [[ $STATUS != 200 ]]; then
        failed endpoint answer 'HTTP 200' "$CAME" "$(why_refused)"
    elif [[ $VALUE != application/json* || ! $META =~ \"endpoint\":\ ?\"$OPT_ENDPOINT\" ]]; then
        failed endpoint answer 'JSON with data and meta' "$CAME of something else" "$(why_refused)"
    else
        passed endpoint answer 'HTTP 200'
        read_snapshot
        check_etag "$url"
    fi
    check_keys "$url"
}

# Sets META to the end of the body, where meta is: rows come before it.
read_meta() {
    local start=$((${#BODY} > META_BYTES ? ${#BODY} - META_BYTES : 0))
    META=${BODY:start}
    META=${META##*'"meta":'}
}

why_refused() {
    case $STATUS in
        401) echo 'is the key active in the keys file: known, not revoked, not expired?' ;;
        404) echo 'is there such an endpoint, is the key granted it, is --api-url the API port?' ;;
        422) echo 'give --query the params that the endpoint takes: see /docs of the admin port' ;;
        503) echo 'it sheds load, or is not ready any more: see /ready' ;;
        000) echo 'is the process running, and is --api-url its API port?' ;;
        *) echo 'is --api-url the API port, and what does the log of the instance say?' ;;
    esac
}

# check_etag URL: of the last answer.
check_etag() {
    local strong='^"[]!#-[^-~]{1,200}"$'
    header etag
    if [[ $VALUE =~ $strong ]]; then
        passed endpoint etag "$VALUE"
        check_not_modified "$1" "$VALUE" 3
    else
        failed endpoint etag 'a strong ETag' "${VALUE:-none}" \
            'let nothing in front of the instance alter answers, as by compression'
    fi
}

# check_not_modified URL ETAG TIMES: again when a swap gave the answer another ETag meanwhile.
check_not_modified() {
    ask "$1" "$KEY_LINE" "$ACCEPT" "header = \"If-None-Match: $(escaped "$2")\""
    header etag
    if [[ $STATUS == 304 && -z $BODY ]]; then
        passed endpoint not_modified 'HTTP 304'
    elif [[ $STATUS == 200 && -n $VALUE && $VALUE != "$2" && $3 -gt 1 ]]; then
        check_not_modified "$1" "$VALUE" $(($3 - 1))
    else
        failed endpoint not_modified 'HTTP 304 to If-None-Match' "$CAME" \
            'let If-None-Match and ETag pass: something ignores or drops them'
    fi
}

# check_keys URL: who has no key gets nothing.
check_keys() {
    local to_do='the data is open to everybody: see auth in offloader.yml, and what a proxy adds'
    if [[ -n $OPT_PUBLIC ]]; then
        skipped endpoint wrong_key 'the API takes no key'
        return
    fi
    ask "$1" "header = \"Authorization: Bearer wrong-$RANDOM$RANDOM\""
    refuses endpoint wrong_key 401 "$to_do"
    ask "$1"
    refuses endpoint no_key 401 "$to_do"
}
