# shellcheck shell=bash
# The instance becomes ready, and was not before.

# Waits for /ready; returns 1 when nothing else needs to be asked.
check_readiness() {
    local seen='' last='' began=$SECONDS expected='HTTP 200 of an admin port'
    while ask "$OPT_ADMIN_URL/ready" && [[ $STATUS != 200 ]]; do
        read_reasons && seen=1
        [[ $CAME == "$last" ]] || wait_told "$CAME"
        last=$CAME
        if ((SECONDS - began > OPT_READY_TIMEOUT)); then
            expected+=" within $OPT_READY_TIMEOUT s"
            failed readiness ready "$expected" "$CAME" "$(why_unready "$seen")"
            return 1
        fi
        sleep 0.2 2>/dev/null || sleep 1
    done
    if ! has '"ready": ?true'; then
        failed readiness ready "$expected" "$CAME of something else" "$(why_unready '')"
        return 1
    fi
    passed readiness ready "HTTP 200 after $((SECONDS - began)) s"
    check_was_unready "$seen"
}

check_was_unready() {
    [[ -n $OPT_PROVE_UNREADY ]] || return 0
    if [[ -n $1 ]]; then
        passed readiness was_unready 'HTTP 503 before'
    else
        failed readiness was_unready 'HTTP 503 before HTTP 200' 'HTTP 200 at once' \
            'start the check before the instance, and ask the instance, not a proxy'
    fi
}

# Adds the reasons to CAME; returns 1 when this is not the 503 of an instance that is not ready.
read_reasons() {
    [[ $STATUS == 503 ]] && has '"ready": ?false' || return 1
    [[ ${BODY:0:4096} =~ \"reasons\":\ ?\[([^]]*)\] ]] && CAME+=", ${BASH_REMATCH[1]}"
    return 0
}

wait_told() {
    show "$1"
    echo "wait  readiness ready: $VALUE"
}

why_unready() {
    if [[ -n $1 ]]; then
        echo 'see /status, /diagnostics and the log of the instance: why is it not loaded?'
    elif [[ $STATUS == 000 ]]; then
        echo 'is the process running, and is --admin-url its admin port?'
    else
        echo 'is --admin-url the admin port of Offloader?'
    fi
}
