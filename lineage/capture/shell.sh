#!/bin/sh
# Stands in for the shell that DVC runs a stage's command with (`$SHELL -c COMMAND`, facts/dvc.md): records the start,
# runs the real shell with the same arguments, records the end, and ends as it ended. Whatever of ours fails, the
# command runs. `lineage.capture.hook` sets LINEAGE_SHELL, LINEAGE_SPOOL and LINEAGE_OBSERVER.
#
# In the spool: a folder for the execution with `start` (its fields, each followed by NUL) and `end` (one line), and a
# line in `journal` for each of the two, so that an execution that is gone, or an end that was rewritten, is noticed.

real=${LINEAGE_SHELL:-/bin/sh}
if [ -n "$LINEAGE_SHELL" ]; then SHELL=$LINEAGE_SHELL; else unset SHELL; fi
if [ -z "$DVC_STAGE" ] || [ -z "$LINEAGE_SPOOL" ]; then exec "$real" "$@"; fi

at=$LINEAGE_SPOOL/$PPID-$$
while ! mkdir "$at" 2>/dev/null; do
  if ! [ -d "$at" ]; then
    { printf 'broken %s\n' "$DVC_STAGE" >>"$LINEAGE_SPOOL/journal"; } 2>/dev/null
    if [ -n "$LINEAGE_STRICT" ]; then
      echo "lineagegate: not started, it cannot be confined: $LINEAGE_SPOOL cannot be written" >&2
      exit 126
    fi
    exec "$real" "$@"
  fi
  at=$at.
done

mode=${LINEAGE_OBSERVER:+python}
if [ -n "$LINEAGE_STRACE" ]; then
  mode=strace
  while read -r key value; do # a process can be traced by one only
    case $key in TracerPid:) if [ "$value" != 0 ]; then mode=python; fi ;; esac
  done </proc/self/status
fi 2>/dev/null

start() {
  printf '%s\0' 1 "$PPID" "$$" "$PWD" "$parent" "$DVC_STAGE" "$DVC_ROOT" "$DVC_EXP_NAME" "$DVC_EXP_BASELINE_REV" \
    "$mode" "$real" "$@"
}
parent=$LINEAGE_EXECUTION
{ start "$@" >"$at/start" && printf 'start %s\n' "${at##*/}" >>"$LINEAGE_SPOOL/journal"; } 2>/dev/null

LINEAGE_EXECUTION=$at
export LINEAGE_EXECUTION
if [ -n "$LINEAGE_OBSERVER" ]; then
  case $PYTHONPATH: in
    "$LINEAGE_OBSERVER":*) ;;
    *) PYTHONPATH=$LINEAGE_OBSERVER${PYTHONPATH:+:$PYTHONPATH} && export PYTHONPATH ;;
  esac
fi

run() {
  set -- "$real" "$@"
  if [ "$mode" = strace ]; then
    set -- "$LINEAGE_STRACE" -D -f -q -y -s1024 --seccomp-bpf -esignal=none \
      -etrace=open,openat,openat2,creat,open_by_handle_at,io_uring_setup,connect,sendto,sendmsg,sendmmsg,execve,execveat \
      -o '|exec "$LINEAGE_PYTHON" -I -S "$LINEAGE_TRACE" "$LINEAGE_EXECUTION"' "$@"
  fi
  if [ -n "$LINEAGE_STRICT" ]; then set -- "$LINEAGE_PYTHON" -I -m lineage.gate.confined "$@"; fi
  exec "$@"
}

# Ctrl-C reaches the command itself; we wait for what it makes of it. What this shell says of a command that a signal
# ended goes into the spool: without us DVC's shell would have said nothing.
trap 'interrupted=1' INT
trap : QUIT
if : 2>/dev/null >"$at/shell"; then
  exec 9>&2 2>"$at/shell"
  (run "$@" 2>&9 9>&-)
  status=$?
  exec 2>&9 9>&-
else
  (run "$@")
  status=$?
fi
trap - INT QUIT
signal=
if [ $status -gt 128 ]; then
  if [ -n "$interrupted" ] && [ $status = 130 ]; then signal=2; fi
  if [ -s "$at/shell" ]; then signal=$((status - 128)); fi
fi

if [ "$mode" = strace ]; then
  tries=0
  while ! [ -e "$at/traced" ] && [ $tries -lt 250 ]; do
    tries=$((tries + 1))
    sleep 0.02
  done
fi

seal() {
  whole=whole
  if ! [ -f "$at/start" ] || [ -L "$at/start" ]; then # somebody took it away while the command ran
    whole=gone
    mkdir -p "$at" && rm -f "$at/start" && start "$@" >"$at/start"
  fi
  if command -v sha256sum >/dev/null; then hash=sha256sum; else hash='shasum -a 256'; fi
  sums=$(
    start "$@" | {
      set -- "$at/start"
      for file in "$at"/*.jsonl; do # a pipe would keep us waiting
        if [ -f "$file" ] && ! [ -L "$file" ]; then set -- "$@" "$file"; fi
      done
      $hash -- - "$@"
    }
  )
  began=
  line=
  while read -r sum path; do
    sum=${sum#\\}
    if [ -z "$began" ]; then # of what `start` held at first
      began=$sum
      continue
    fi
    if [ -z "$line" ] && [ "$sum" != "$began" ] && [ $whole = whole ]; then whole=changed; fi
    line="$line $sum=${path##*/}"
  done <<EOF
$sums
EOF
  if [ -e "$at/end" ]; then rm -rf "$at/end"; fi # the end is ours to say
  line="end ${at##*/} $status${signal:+:$signal} $whole$line"
  printf '%s\n' "$line" >"$at/end" && printf '%s\n' "$line" >>"$LINEAGE_SPOOL/journal"
}
seal "$@" 2>/dev/null

if [ -n "$signal" ]; then
  ulimit -c 0
  kill -"$signal" $$
fi
exit $status
