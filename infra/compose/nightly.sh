#!/bin/sh
# One night: verify, gc, checkpoint, copy. A step that fails stops no other; the exit code is that of the first failure.
# TIMEFILE tells `snooze` when the last night was.
# LAKE is the lake, SECOND the second lake; AWS credentials are files in $SECRETS: reader, steward and copy.
set -u
# First, so that a night that fails is not begun again at once.
[ -z "${TIMEFILE:-}" ] || touch "$TIMEFILE"
secrets=${SECRETS:-/run/secrets}
code=0

step() { # IDENTITY COMMAND …
  identity=$1
  shift
  echo "nightly: sxeslake $*"
  AWS_SHARED_CREDENTIALS_FILE=$secrets/$identity sxeslake "$@"
  ended=$?
  # 4 of `verify` says that its time was up: the next night goes on where it stopped.
  if [ "$1" = verify ] && [ $ended = 4 ]; then ended=0; fi
  if [ $ended != 0 ]; then
    echo "nightly: $1 failed with exit code $ended" >&2
    [ $code != 0 ] || code=$ended
  fi
}

step reader verify --data --resume --max-duration "${VERIFY_FOR:-2h}" --lake "$LAKE"
step steward gc --lake "$LAKE"
step ingester checkpoint --lake "$LAKE"
if [ -z "${SECOND:-}" ]; then
  echo "nightly: no second copy: set SECOND to a lake on another disk or in another bucket" >&2
else
  set --
  case $SECOND in
    s3://*) set -- --to-storage-option profile=second --to-storage-option "endpoint_url=${SECOND_ENDPOINT:-https://s3.amazonaws.com}" ;;
  esac
  step copy copy "$LAKE" "$SECOND" "$@"
fi
exit $code
