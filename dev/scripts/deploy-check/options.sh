# shellcheck shell=bash
# What the caller wants: options, their variables, and the secrets.

# name|what it takes|default|what it means
readonly OPTIONS='api-url|URL|http://127.0.0.1:4000|where the API port answers
admin-url|URL|http://127.0.0.1:4001|where the admin port answers
admin-token-file|FILE||a file that holds the admin token
key-file|FILE||a file that holds a key that may call the endpoint
public|||the API takes no key (auth: none)
endpoint|NAME||the endpoint that is called; always needed
query|TEXT||its params, as in a URL: account_id=acct_zephyr&limit=1
snapshot-id|ID||the snapshot that must be served
expect-version|VERSION||the version of Offloader that must run
max-age|SECONDS||how old the watermark may be, whatever the endpoint allows
allow-stale|||take a stale answer, too
prove-unready|||/ready must be seen to answer 503 before it answers 200
ready-timeout|SECONDS|120|how long to wait for /ready
request-timeout|SECONDS|10|how long to wait for one answer
timeout|SECONDS|300|how long the whole check may take
max-bytes|BYTES|1048576|how long an answer may be, with its headers
ca-file|FILE||the certificates to trust for https, as PEM
json|FILE||write a summary as JSON; - is the standard output
help|||show this text'
readonly EXITS='0|fine|every check passed
2|usage|called wrongly: nothing was asked
10|readiness|it did not become ready, or was not seen unready before
20|admin|the admin port does not answer as it should, or to anybody
30|endpoint|the endpoint, its key or its ETag
40|separation|a port answers routes of the other one
50|snapshot|another snapshot than expected, or stale data
60|time|the whole check took too long'
readonly MAX_SECRET=4096

usage() {
    local name takes default words
    echo 'usage: deploy-check.sh --endpoint NAME [option ...]'
    printf '\nCheck a fresh instance of Offloader from outside, with bash and curl.\n\n'
    while IFS='|' read -r name takes default words; do
        name="--$name${takes:+ $takes}" words="$words${default:+ (default $default)}"
        printf '  %-26s %s\n' "$name" "$words"
    done < <(echo "$OPTIONS")
    printf '\nEach is also a variable: --api-url is DEPLOY_CHECK_API_URL; 1 sets what takes no\n'
    printf 'value. Everybody sees arguments, so a secret is none: give its file, or set\n'
    printf 'DEPLOY_CHECK_ADMIN_TOKEN and DEPLOY_CHECK_KEY. Exit codes:\n\n'
    while IFS='|' read -r name takes words; do
        printf '  %-2s  %-10s  %s\n' "$name" "$takes" "$words"
    done < <(echo "$EXITS")
}

problem() { PROBLEMS+="deploy-check: $1"$'\n'; }

# variable_of OPTION: sets VALUE to its variable, as API_URL for api-url.
variable_of() {
    local small=abcdefghijklmnopqrstuvwxyz large=ABCDEFGHIJKLMNOPQRSTUVWXYZ index before
    VALUE=''
    for ((index = 0; index < ${#1}; index++)); do
        before=${small%%"${1:index:1}"*}
        if ((${#before} < 26)); then VALUE+=${large:${#before}:1}; else VALUE+=_; fi
    done
}

# Give every OPT_ variable the value of its DEPLOY_CHECK_ one, or its default. None is exported.
read_environment() {
    local name takes default words from
    while IFS='|' read -r name takes default words; do
        variable_of "$name"
        from=DEPLOY_CHECK_$VALUE
        printf -v "OPT_$VALUE" %s "${!from:-$default}"
        export -n "OPT_${VALUE?}"
    done < <(echo "$OPTIONS")
    ADMIN_TOKEN=${DEPLOY_CHECK_ADMIN_TOKEN:-} KEY=${DEPLOY_CHECK_KEY:-}
    export -n ADMIN_TOKEN KEY
    unset DEPLOY_CHECK_ADMIN_TOKEN DEPLOY_CHECK_KEY # no child needs them
}

read_arguments() {
    local name takes
    while (($# > 0)); do
        name=${1%%=*} name=${name#--}
        if [[ $1 != --?* || $name == *[!a-z-]* || $'\n'$OPTIONS != *$'\n'"$name|"* ]]; then
            unknown "$name"
            return
        fi
        takes=$'\n'$OPTIONS takes=${takes#*$'\n'"$name|"} takes=${takes%%|*}
        variable_of "$name"
        if [[ -z $takes ]]; then
            [[ $1 != *=* ]] || problem "--$name takes no value"
            printf -v "OPT_$VALUE" 1
        elif [[ $1 == *=* ]]; then
            printf -v "OPT_$VALUE" %s "${1#*=}"
        elif (($# > 1)); then
            printf -v "OPT_$VALUE" %s "$2"
            shift
        else
            problem "--$name needs a value: $takes"
        fi
        shift
    done
}

# What was sent is not repeated: it may be a secret.
unknown() {
    case $1 in
        admin-token | key) problem "--$1 would be seen by everybody: use --$1-file" ;;
        *) problem 'an argument is none of the options that --help lists' ;;
    esac
}

# must_match OPTION PATTERN WORDS: an option that is set is of this form.
must_match() {
    local name
    variable_of "$1"
    name=OPT_$VALUE
    [[ -z ${!name} || ${!name} =~ ^($2)$ ]] || problem "--$1 must be $3"
}

check_options() {
    local name host='([A-Za-z0-9._-]+|\[[0-9a-fA-F:.]+\])(:[0-9]+)?' path='(/[A-Za-z0-9._~/-]*)?'
    for name in api-url admin-url; do
        must_match $name "https?://$host$path" 'http(s)://host:port, without user and query'
    done
    for name in ready-timeout request-timeout timeout max-age; do
        must_match $name '[1-9][0-9]{0,8}' 'whole seconds, at least 1'
    done
    for name in public allow-stale prove-unready help; do
        must_match $name 1 'set by 1'
    done
    must_match max-bytes '[1-9][0-9]{3,7}' 'from 1000 to 99999999 bytes'
    must_match endpoint '[a-z][a-z0-9_]{0,62}' 'the name of an endpoint'
    must_match query '[]!$%-~[]*' 'percent-encoded, as in a URL, without ? and without #'
    must_match snapshot-id '[A-Za-z0-9:_.-]{1,200}' 'the id of a snapshot'
    must_match expect-version '[A-Za-z0-9+.-]{1,50}' 'a version, such as 1.2.3'
    [[ -n $OPT_ENDPOINT ]] || problem '--endpoint is missing: name one endpoint to call'
    [[ $OPT_API_URL != "$OPT_ADMIN_URL" ]] || problem '--api-url and --admin-url are the same'
    check_secrets
    check_files
}

check_secrets() {
    read_secret admin-token ADMIN_TOKEN "$OPT_ADMIN_TOKEN_FILE"
    if [[ -z $OPT_PUBLIC ]]; then
        read_secret key KEY "$OPT_KEY_FILE"
    elif [[ -n $KEY$OPT_KEY_FILE ]]; then
        problem 'with --public there is no key: leave one of them out'
    fi
}

# read_secret OPTION VARIABLE FILE: sets the variable from its file, when there is one.
read_secret() {
    local text=${!2}
    if [[ -n $3 && -n $text ]]; then
        problem "DEPLOY_CHECK_$2 and --$1-file are both set: leave one of them out"
        return
    elif [[ -n $3 ]]; then
        { IFS= read -r -d '' -n $((MAX_SECRET + 2)) text <"$3"; } 2>/dev/null
        text=${text%$'\n'} text=${text%$'\r'}
        [[ -n $text ]] || problem "--$1-file names nothing: can it be read, is it empty?"
    elif [[ -z $text ]]; then
        problem "--$1-file is missing: give it, or set DEPLOY_CHECK_$2"
    fi
    if [[ $text == *[!!-~]* || ${#text} -gt $MAX_SECRET ]]; then
        problem "--$1-file and DEPLOY_CHECK_$2 hold one line of at most $MAX_SECRET characters"
    fi
    printf -v "$2" %s "$text"
}

check_files() {
    if [[ -n $OPT_CA_FILE ]] && ! { : <"$OPT_CA_FILE"; } 2>/dev/null; then
        problem '--ca-file cannot be read'
    fi
    if [[ -n ${OPT_JSON#-} ]] && ! { : >"$OPT_JSON"; } 2>/dev/null; then
        problem '--json cannot be written'
    fi
    command -v curl >/dev/null || problem 'curl is not installed'
}
