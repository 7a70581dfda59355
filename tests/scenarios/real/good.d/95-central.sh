#!/bin/sh
# Tie a host to the management centre (8.1.5.4 c, e). Last of all: afterwards the public package sources are gone.
set -eu

if command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq install -y --no-install-recommends prometheus-node-exporter
    codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
    rm -f /etc/apt/sources.list.d/*
    {
        echo "deb http://192.0.2.50/debian $codename main"
        echo "deb http://192.0.2.50/debian-security $codename-security main"
    } >/etc/apt/sources.list
else
    dnf -q -y install node_exporter
fi
