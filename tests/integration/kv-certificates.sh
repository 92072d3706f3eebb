#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# kv-certificates.sh DIRECTORY: the certificates (NAME.pem) and keys (NAME.key) that the tests of the store's
# TLS use. etcd wants clientAuth in its own certificate, since its JSON gateway, which tests administer users by,
# calls it as a client, and the gateway wants no CN in its clients'. Elsewhere a CN is a user.
set -eu
cd "$1"

make_key() { # NAME SUBJECT
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -batch \
        -subj "$2" -keyout "$1.key" -out "$1.csr"
}

make_authority() { # NAME
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -batch \
        -subj "/O=$1" -days 2 -keyout "$1.key" -out "$1.pem"
}

sign() { # NAME AUTHORITY DAYS EXTENSION…
    local name=$1 authority=$2 days=$3
    shift 3
    printf '%s\n' "$@" >"$name.ext"
    openssl x509 -req -in "$name.csr" -CA "$authority.pem" -CAkey "$authority.key" \
        -CAcreateserial -days "$days" -extfile "$name.ext" -out "$name.pem"
}

make_authority ca
make_authority stranger

make_key server /O=muster
sign server ca 2 subjectAltName=IP:127.0.0.1 extendedKeyUsage=serverAuth,clientAuth
make_key expired /O=muster
sign expired ca -1 subjectAltName=IP:127.0.0.1 extendedKeyUsage=serverAuth,clientAuth
make_key imposter /O=muster
sign imposter stranger 2 subjectAltName=IP:127.0.0.1 extendedKeyUsage=serverAuth,clientAuth
make_key client /O=muster
sign client ca 2 extendedKeyUsage=clientAuth
make_key named /O=muster/CN=agent
sign named ca 2 extendedKeyUsage=clientAuth
make_key foreign /O=muster
sign foreign stranger 2 extendedKeyUsage=clientAuth

# What a system has whose only authority is the stranger, as libcurl looks for it.
mkdir system
cp stranger.pem system
openssl rehash system
cp stranger.pem system/ca-certificates.crt
