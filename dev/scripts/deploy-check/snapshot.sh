# shellcheck shell=bash
# The snapshot that answered: which one, and how old. It is judged last: 50 means all else is fine.

# Keeps what META and the headers of the endpoint's answer say of the snapshot.
read_snapshot() {
    [[ $META =~ \"snapshot_id\":\ ?\"([A-Za-z0-9:_.-]{1,200})\" ]] && SNAPSHOT_ID=${BASH_REMATCH[1]}
    [[ $META =~ \"watermark\":\ ?\"([0-9TZ:.+-]{1,40})\" ]] && WATERMARK=${BASH_REMATCH[1]}
    [[ $META =~ \"stale\":\ ?(true|false) ]] && STALE=${BASH_REMATCH[1]}
    header offloader-snapshot-age
    [[ $VALUE =~ ^[0-9]{1,12}$ ]] && AGE=$((10#$VALUE))
    header offloader-snapshot-id
    ID_IN_HEADER=$VALUE ANSWERED=1
}

check_snapshot() {
    if [[ -z $ANSWERED ]]; then
        skipped snapshot all 'the endpoint did not answer'
        return
    fi
    if [[ -n $SNAPSHOT_ID && $ID_IN_HEADER == "$SNAPSHOT_ID" ]]; then
        passed snapshot snapshot_id "$SNAPSHOT_ID in header and body"
    else
        failed snapshot snapshot_id 'the same id in header and body' \
            "${ID_IN_HEADER:-none} and ${SNAPSHOT_ID:-none}" 'let nothing in front alter answers'
    fi
    check_expected_id
    check_fresh
    check_max_age
}

check_expected_id() {
    [[ -n $OPT_SNAPSHOT_ID ]] || return 0
    if [[ $OPT_SNAPSHOT_ID == "$SNAPSHOT_ID" ]]; then
        passed snapshot expected_id "$SNAPSHOT_ID"
    else
        failed snapshot expected_id "$OPT_SNAPSHOT_ID" "${SNAPSHOT_ID:-none}" \
            'was it published, refused, pinned or rolled back? See /diagnostics'
    fi
}

check_fresh() {
    local words="watermark ${WATERMARK:-unknown}, age ${AGE:-unknown} s"
    if [[ $STALE == false ]]; then
        passed snapshot fresh "$words"
    elif [[ -n $OPT_ALLOW_STALE && $STALE == true ]]; then
        skipped snapshot fresh "a stale answer is allowed: $words"
    else
        failed snapshot fresh 'a fresh answer' "a stale one, $words" \
            'publish a newer snapshot, or give --allow-stale'
    fi
}

check_max_age() {
    [[ -n $OPT_MAX_AGE ]] || return 0
    if [[ -n $AGE ]] && ((AGE <= OPT_MAX_AGE)); then
        passed snapshot max_age "$AGE s"
    else
        failed snapshot max_age "at most $OPT_MAX_AGE s" "${AGE:-unknown} s" \
            'publish a newer snapshot'
    fi
}
