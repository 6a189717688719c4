#!/bin/sh
# Make what compose.yaml reads from ./secrets: keys of the three identities, users of the web page, a certificate.
#   sh compose/make-secrets.sh [FOLDER]
# Files that are there stay as they are. To replace a leaked key, delete its file, run this again and restart.
set -eu
folder=${1:-$(dirname "$0")/../secrets}
mkdir -p "$folder"
# Containers read the files as their own users, so the folder, not the files, keeps others out.
chmod 700 "$folder"
umask 022

keys() { # FILE IDENTITY [PROFILE]
  printf '[%s]\naws_access_key_id = SXESLAKE-%s\naws_secret_access_key = %s\n' \
    "${3:-default}" "$(printf %s "$2" | tr a-z A-Z)" "$(openssl rand -hex 24)" >"$folder/$1"
}

for name in reader ingester steward; do
  [ -e "$folder/$name" ] || keys "$name" "$name"
done

if [ ! -e "$folder/copy" ]; then
  # `copy` reads with the first keys and writes to the second lake with those of the profile `second`.
  { cat "$folder/reader"; printf '\n# Where the second lake is a bucket: keys that may create objects in it.\n[second]\naws_access_key_id =\naws_secret_access_key =\n'; } >"$folder/copy"
fi

if [ ! -e "$folder/lake.users" ]; then
  password=$(openssl rand -hex 8)
  printf 'lake:%s\n' "$(openssl passwd -apr1 "$password")" >"$folder/lake.users"
  echo "The web page's first user is 'lake' with the password $password. Others: htpasswd $folder/lake.users NAME"
fi

if [ ! -e "$folder/tls.key" ]; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 825 -subj "/CN=${LAKE_HOST:-localhost}" \
    -addext "subjectAltName=DNS:${LAKE_HOST:-localhost},DNS:localhost,IP:127.0.0.1" \
    -keyout "$folder/tls.key" -out "$folder/tls.crt" 2>/dev/null ||
    { echo "make-secrets: openssl made no certificate" >&2; exit 1; }
  chmod 644 "$folder/tls.key"
  echo "The certificate in $folder is signed by itself: replace tls.crt and tls.key by those of your facility."
fi
