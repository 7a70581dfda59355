echo "linux.sh: not written yet" >&2
exit 1
