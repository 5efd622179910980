#!/usr/bin/env bash
# Replace one of two instances: out of nginx, replaced, checked, back in. See README.md.
#   rollout.sh <a|b> '<command that stops the old one and starts the new one>' '<command that checks it>'
set -euo pipefail

folder=${ROLLOUT_FOLDER:-/run/offloader-rollout}

if (($# != 3)) || [[ $1 != [ab] ]]; then
    echo "usage: rollout.sh <a|b> '<replace command>' '<check command>'" >&2
    exit 2
fi
if [[ $1 == a ]]; then other=b; else other=a; fi
if [[ ! -d $folder ]]; then
    echo "rollout: $folder is not there: make it, readable for nginx's workers" >&2
    exit 2
fi
if [[ -e $folder/$other.out ]]; then
    echo "rollout: $other is out; bring it back before $1 goes: rm $folder/$other.out" >&2
    exit 3
fi

touch "$folder/$1.out" # the next request, and all after it, go to the other instance
if ! bash -c "$2"; then
    echo "rollout: $1 was not replaced; it stays out, $other serves alone" >&2
    exit 4
fi
if ! bash -c "$3"; then
    echo "rollout: $1 is not as it should be; it stays out, $other serves alone" >&2
    exit 5
fi
rm "$folder/$1.out"
echo "rollout: $1 is back"
