#!/bin/sh
# Fill the identities with the keys from the environment, then run SeaweedFS: start-s3.sh [arguments of weed].
# Needs READER_KEY READER_SECRET INGESTER_KEY INGESTER_SECRET STEWARD_KEY STEWARD_SECRET.
set -eu
template=${IDENTITIES:-/etc/sxeslake/s3-identities.json}
config=${S3_CONFIG:-/run/s3-identities.json}
script=
for name in READER_KEY READER_SECRET INGESTER_KEY INGESTER_SECRET STEWARD_KEY STEWARD_SECRET; do
  eval "value=\${$name:-}"
  case $value in
    '') echo "start-s3: set $name" >&2; exit 2 ;;
    *[!A-Za-z0-9_./+=-]*) echo "start-s3: $name may hold letters, digits and _ . / + = - only" >&2; exit 2 ;;
  esac
  script="$script;s|@$name@|$value|g"
done
umask 077
printf '%s\n' "${script#;}" | sed -f /dev/stdin "$template" > "$config"  # not as an argument: those show in ps
exec weed "$@" "-s3.config=$config"
