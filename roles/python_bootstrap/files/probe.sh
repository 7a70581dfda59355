# shellcheck shell=sh
# Prints path and version of the Python that Ansible would use, best first; nothing when there is none.
for name in "$1/bin/python3" python3.13 python3.12 python3.11 python3.10 python3.9 python3.8 python3; do
    # dash's `command -v` looks at its first argument only
    python=$(command -v "$name") || continue
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
    echo "$python $version"
    break
done
