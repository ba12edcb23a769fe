#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# chroot.sh ROOT [SOURCE:TARGET]... -- COMMAND...
# Enters a toolchain root with the given directories bound into it. Called inside a mount
# namespace of its own (as_root), so nothing here is seen outside or has to be undone.

set -euo pipefail

root=$1
shift

mount --rbind /proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$root/run"

# Name resolution and certificates are the host's.
if [[ -e /etc/resolv.conf ]]; then
	touch "$root/etc/resolv.conf"
	mount --bind "$(realpath /etc/resolv.conf)" "$root/etc/resolv.conf"
fi
for bundle in "${SSL_CERT_FILE:-}" /etc/ssl/certs/ca-certificates.crt \
	/etc/pki/tls/certs/ca-bundle.crt /etc/ssl/ca-bundle.pem; do
	if [[ -n $bundle && -s $bundle ]]; then
		mount --bind "$(realpath "$bundle")" "$root/etc/ssl/certs/ca-certificates.crt"
		break
	fi
done

while [[ $1 != -- ]]; do
	mkdir -p "$root${1##*:}"
	mount --rbind "${1%:*}" "$root${1##*:}"
	shift
done
shift

pass=(HOME=/root PATH=/opt/venv/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 "TERM=${TERM:-dumb}"
	CARGO_HOME=/cache/cargo PYTHONDONTWRITEBYTECODE=1
	PYTHONPATH=/src/tests:/src/tests/qemu
	SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt)
while IFS='=' read -r -d '' name value; do
	case $name in
	http_proxy | https_proxy | no_proxy | HTTP_PROXY | HTTPS_PROXY | NO_PROXY | \
		PIP_INDEX_URL | PIP_EXTRA_INDEX_URL | PIP_TRUSTED_HOST | PIP_DEFAULT_TIMEOUT | \
		CARGO_NET_* | CARGO_HTTP_* | CARGO_REGISTR* | CARGO_SOURCE_* | \
		IGB_RS_*)
		[[ $name == CARGO_HTTP_CAINFO ]] || pass+=("$name=$value")
		;;
	esac
done < <(env -0)

exec chroot "$root" /usr/bin/env -i "${pass[@]}" /bin/bash -c 'cd /src && exec "$@"' enter "$@"
