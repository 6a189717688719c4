#!/bin/sh
# Give SeaweedFS the three identities with the policies of ../aws, then run it: start-s3.sh [arguments of weed].
# Secrets are read from files as `make-secrets.sh` writes them: $SECRETS/reader, ingester and steward.
set -eu
policies=${POLICIES:-/etc/sxeslake/aws}
secrets=${SECRETS:-/run/secrets}
config=${S3_CONFIG:-/tmp/s3-identities.json}
bucket=${BUCKET:-lake}

value() { # FILE NAME: a value of an AWS credentials file
  found=$(sed -n "s/^$2 *= *//p" "$1")
  case $found in
    '') echo "start-s3: $1: $2 is missing" >&2; exit 2 ;;
    *[!A-Za-z0-9_./+=-]*) echo "start-s3: $1: $2 may hold letters, digits and _ . / + = - only" >&2; exit 2 ;;
  esac
  printf %s "$found"
}

policy() { # NAME: the policy as a JSON string
  # SeaweedFS does not know the condition key s3:if-none-match; nginx.conf refuses overwriting in its place.
  tr -d ' \n' <"$policies/$1.json" |
    sed -e "s/BUCKET/$bucket/g" -e 's/,"Condition":{"Null":{"s3:if-none-match":"false"}}//' -e 's/"/\\"/g'
}

identities= content=
for name in reader ingester steward; do
  [ -r "$secrets/$name" ] || { echo "start-s3: $secrets/$name cannot be read: run make-secrets.sh" >&2; exit 2; }
  key=$(value "$secrets/$name" aws_access_key_id)
  secret=$(value "$secrets/$name" aws_secret_access_key)
  identities="$identities,{\"name\":\"$name\",\"policyNames\":[\"$name\"],\"credentials\":[{\"accessKey\":\"$key\",\"secretKey\":\"$secret\"}]}"
  content="$content,{\"name\":\"$name\",\"content\":\"$(policy $name)\"}"
done
umask 077
printf '{"identities":[%s],"policies":[%s]}\n' "${identities#,}" "${content#,}" >"$config" # not as an argument: those show in ps
exec weed "$@" "-s3.config=$config"
