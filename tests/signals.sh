# To be sourced. ends_with_me COMMAND [ARGUMENTS]: runs it; a signal that ends the script ends it first, and is waited out,
# so that what it started and the folders it keeps are gone too.
ends_with_me() {
  local status=0
  child=
  trap '[ -z "$child" ] || { kill -TERM "$child" || true; wait "$child" || true; } 2>/dev/null; exit 143' TERM INT HUP
  # What bash runs in the background is deaf to Ctrl-C, and so would be all that it starts.
  (trap - TERM INT HUP; exec "$@") <&0 &
  child=$!
  wait "$child" || status=$?
  trap - TERM INT HUP
  return "$status"
}
