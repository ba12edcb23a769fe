# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
#
# Python packages that Debian 13 does not have, in a virtual environment of the root's Python.
# Nothing else is made from them. Needs provide_root.

install_python() {
	mkdir "$1/venv"
	as_root "$ENV_DIR/chroot.sh" "$ROOT" "$CLONE:/src" "$1/venv:/opt/venv" -- bash -c '
		python3 -m venv --system-site-packages /opt/venv
		exec /opt/venv/bin/pip install --disable-pip-version-check --no-cache-dir \
			--requirement /src/tests/env/packages.python'
}

build_python() {
	step "install the Python packages" install_python "$1"
}

python_key() {
	key "$ENV_DIR/packages.python" "$ENV_DIR/python.sh" "$(grep '^python3 ' "$TOOLCHAIN")"
}

provide_python() {
	product python "$(python_key)" "Python packages" build_python
	PYTHON=$CACHE/python-$(python_key)
}
