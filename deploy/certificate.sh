#!/bin/sh
# certificate.sh FOLDER USER: a certificate for trying things, signed by itself, unless one is there already.
set -eu
cd "$1"
if [ -e tls.crt ]; then exit 0; fi
umask 077
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 90 -subj /CN=crs-cds \
    -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout tls.key -out tls.crt
chown "$2" tls.key tls.crt
