#!/usr/bin/env bash
# Everything that a machine with a GPU has to show, with results under one folder:
#   scripts/gpu-session.sh OUT [PART[=SECONDS]]...
# Without parts all of them run, each within its own time:
#   smoke            the CUDA backend alone, with hand-made kernels
#   variants         softcap and a sliding window as edits of the forward kernel
#   matrix           heads, head dims, pages, types and packings against float64; matrix-sm80: the same kernels for sm_80
#   tiles            every tile shape that compiles; tiles-sm80
#   soak             1,000 random ragged batches
#   bits             one batch a hundred times: the same bits
#   webgpu           the matrix in WGSL on this GPU
#   fig10            the paper's 80 cases, verified and timed; fig10-sm80
#   packings         auto, pat, node and none on trees, random forests and traces, verified and timed
#   ncu              the five of fig10 that are furthest from their floors, profiled
#   memcheck, racecheck, synccheck   small cases of every emitted variant under compute-sanitizer
#   fig10-wgsl       fig10 in WGSL
#   cells            every tile shape on equal packs, 12 sizes x 3 head configurations: for the cost model and the table of winners
#   choices          the paper's trees with the winners of `cells`, with every shape, with fixed ones, and as the paper selects
#   planner          the C++ planner on the processor of this machine
# Parts that judge only run side by side; those that time have the GPU for themselves. OUT/NAME.log is what a part printed,
# OUT/summary.txt one line a part. Exits 0 when all parts that ran passed; a part whose tool is missing is skipped, and told.
# ON=simulator tries the script out where there is no GPU. PEERS=FILE and COMMIT=ID go to the benchmarks.
set -uo pipefail
[[ $# -ge 1 && $1 != -* ]] || { sed -n '2,24s/^# \{0,1\}//p' "$0"; exit 2; }
mkdir -p "$1" || exit 2
out=$(cd "$1" && pwd)
shift
cd "$(dirname "$0")/.."
on=${ON:-cuda}
new=cuda:sm_90a old=cuda:sm_80 # what a kernel is compiled for
# A batch with every kind of node, small enough for sanitizers and the simulator.
tiny=1,2,3_20,17,9
if [[ $on == cuda ]]; then small='' soaked=1000 repeated=100; else small="--workload $tiny" soaked=3 repeated=3; fi
commit=${COMMIT:-$(git rev-parse HEAD 2>/dev/null || cat COMMIT 2>/dev/null || echo unknown)}
# The toolkit's tools, where nobody put them on the path; and WGSL on the GPU, never on a stand-in for one.
PATH=$PATH:/usr/local/cuda/bin
[[ $on == cuda ]] && export PATC_WEBGPU_ADAPTER=hardware
export out on new old tiny small soaked repeated commit

declare -A budget=(
  [smoke]=90 [variants]=60 [matrix]=240 [matrix-sm80]=240 [tiles]=240 [tiles-sm80]=240 [soak]=300 [bits]=180 [webgpu]=240
  [fig10]=240 [fig10-sm80]=240 [packings]=100 [ncu]=240 [memcheck]=300 [racecheck]=300 [synccheck]=300 [fig10-wgsl]=300
  [cells]=165 [choices]=115 [planner]=40
)
wanted=()
for part in "$@"; do
  name=${part%%=*}
  [[ -n ${budget[$name]:-} ]] || { echo "there is no part '$name': ${!budget[*]}" >&2; exit 2; }
  if [[ $part == *=* ]]; then
    [[ ${part#*=} =~ ^[1-9][0-9]*$ ]] || { echo "$part: seconds are a whole number" >&2; exit 2; }
    budget[$name]=${part#*=}
  fi
  wanted+=("$name")
done

chosen() { [[ ${#wanted[@]} -eq 0 || " ${wanted[*]} " == *" $1 "* ]]; }
tell() { printf '%-12s %-8s %5s s  %s\n' "$@" | tee -a "$out/summary.txt"; }

# part NAME COMMAND...: in at most its seconds; commands that take --budget stop by themselves before.
part() {
  local name=$1 begin=$SECONDS status
  shift
  chosen "$name" || return 0
  name=$name seconds=$((budget[$name] > 30 ? budget[$name] - 15 : budget[$name])) \
    timeout --kill-after=10 "${budget[$name]}" bash -c '"$@"' part "$@" >"$out/$name.log" 2>&1
  status=$?
  case $status in
    0) status=ok ;;
    124 | 137) status=late ;;
    77) status=skipped ;;
    *) status=FAILED ;;
  esac
  tell "$name" "$status" $((SECONDS - begin)) "$(grep -v '^ *$' "$out/$name.log" | tail -n 1 | cut -c -200)"
}
on_gpu() {
  if [[ $on == cuda ]]; then part "$@"; elif chosen "$1"; then tell "$1" skipped 0 'needs a CUDA device'; fi
}

# shellcheck disable=SC2086
check() { node bench/check.ts "$@" --budget "$seconds"; }
bench() {
  node bin/patc.js bench --suite fig10 --budget "$seconds" --commit "$commit" ${PEERS:+--peers "$PEERS"} "$@"
}

sanitize() {
  command -v compute-sanitizer >/dev/null || { echo 'compute-sanitizer is not installed'; return 77; }
  local failed=0 target program
  # Once without the tool, so that it finds every kernel in the cache: it has crashed by itself where it had to follow nvcc's many processes.
  under() {
    "$@" >/dev/null || { echo "$*: failed without $tool"; failed=1; return; }
    compute-sanitizer --tool "$tool" --target-processes application-only --error-exitcode 9 --print-limit 20 "$@" || failed=1
  }
  tool=$1
  for target in "$new" "$old"; do
    under node bench/check.ts tiles --target "$target" --workload "$tiny" --streams yes
    under node bench/check.ts matrix --target "$target" --workload "$tiny"
  done
  for program in 'softmax --rows 5' 'rmsnorm --rows 5' 'gemm --rows 70 --spec columns=136,depth=200' \
    'prefill --lengths 37,1,20 --spec group=3' 'reduction --elements 40000'; do
    # shellcheck disable=SC2086
    under node bin/patc.js run $program --on cuda --verify --repeats 0
  done
  ((failed)) || echo "$tool: clean"
  return $failed
}

profile() {
  command -v ncu >/dev/null || { echo 'ncu is not installed'; return 77; }
  local result failed=0 n=0 over reports=()
  result=$(find "$out" -maxdepth 1 -name 'cuda-*-fig10.json' | head -n 1)
  [[ -n $result ]] || { echo 'fig10 left no result to choose from'; return 1; }
  while IFS=$'\t' read -r row over; do
    n=$((n + 1))
    echo "$n: $row, $over of its floor"
    ncu --set full --kernel-name regex:pat_ --force-overwrite --export "$out/ncu-$n" \
      node bin/patc.js bench --suite fig10 --filter "^$row " --repeats 0 --out "$out/ncu-runs" </dev/null || failed=1
    ncu --import "$out/ncu-$n.ncu-rep" --page details >"$out/ncu-$n.txt" || failed=1
    ncu --import "$out/ncu-$n.ncu-rep" --page raw --csv >"$out/ncu-$n.csv" || failed=1
    reports+=("$row=$out/ncu-$n.csv")
  done < <(worst "$result")
  ((n > 0)) || { echo "no timed row in $result"; return 1; }
  node scripts/ncu-report.ts "$out/ncu.json" "${reports[@]}" || failed=1
  return $failed
}
worst() {
  node -e '
    const { rows } = JSON.parse(require("node:fs").readFileSync(process.argv[1], "utf8"));
    const over = (r) => (r.graphUs ?? r.timeUs) / r.floorUs;
    const timed = rows.filter((r) => r.timeUs !== null && r.floorUs !== null);
    for (const r of timed.sort((a, b) => over(b) - over(a)).slice(0, 5))
      console.log(`${r.tree} ${r.heads}\t${over(r).toFixed(2)}`);' "$1"
}
packings() { node bench/packings.ts --on cuda --budget "$seconds" --commit "$commit" --out "$out"; }
# Both in one cache, so that kernels are compiled once and the winners just measured are this session's alone.
cells() {
  if [[ $on == cuda ]]; then
    node bench/cells.ts cells --commit "$commit" --budget "$seconds" --out "$out/cells.jsonl"
  else
    node bench/cells.ts cells --commit "$commit" --budget "$seconds" --out "$out/cells.jsonl" --on "$on" --heads 4/2 --rows 4,16 --tokens 24,40 \
      --blocks 0.02 --tiles m=16..32,n=16..32,stages=2
  fi
}
choices() {
  [[ -s $out/cells.jsonl && $on == cuda ]] && node scripts/cells-report.ts "$out/cells.jsonl" --keep
  if [[ $on == cuda ]]; then
    # 32/8 on all trees first; the others as far as time goes.
    node bench/cells.ts choices --commit "$commit" --budget "$seconds" --out "$out/choices.jsonl" --heads 32/8,64/8,32/32
  else
    node bench/cells.ts choices --commit "$commit" --budget "$seconds" --out "$out/choices.jsonl" --on "$on" --heads 4/2 --tree "$tiny"
  fi && node scripts/cells-report.ts --choices "$out/choices.jsonl"
}
planner() {
  command -v g++ >/dev/null || { echo 'g++ is not installed'; return 77; }
  node bench/planner/run.ts --host 8 --commit "$commit" --out "$out/planner-host.json" >/dev/null &&
    node -e '
      const { host } = JSON.parse(require("node:fs").readFileSync(process.argv[1], "utf8"));
      for (const r of host) console.log(`${r.sequences} sequences: ${r.planUs} us, ${r.fastestUs} at the fastest, repair ${r.repairUs}`);
      const at = host.find((r) => r.sequences === 1024);
      console.log(`1024 sequences in ${at.planUs} us, ${at.fastestUs} at the fastest`);' "$out/planner-host.json"
}
export -f check bench planner packings sanitize profile worst cells choices

: >"$out/summary.txt"
command -v nvidia-smi >/dev/null &&
  nvidia-smi --query-gpu=name,driver_version,clocks.sm,clocks.mem --format=csv,noheader | tee "$out/device.txt"

on_gpu smoke node bench/gpu-smoke.ts
on_gpu variants node bench/variants.ts
# shellcheck disable=SC2086
{
  part matrix check matrix --on "$on" --target $new $small &
  part matrix-sm80 check matrix --on "$on" --target $old $small &
  part tiles check tiles --on "$on" --target $new $small &
  part tiles-sm80 check tiles --on "$on" --target $old $small &
  part soak check soak --on "$on" --count $soaked &
  part bits check bits --on "$on" --count $repeated $small &
  part webgpu check matrix --on webgpu $small &
  wait
}
on_gpu fig10 bench --target $new --out "$out"
on_gpu fig10-sm80 bench --target $old --out "$out"
on_gpu packings packings
on_gpu ncu profile
for tool in memcheck racecheck synccheck; do on_gpu $tool sanitize $tool & done
wait
on_gpu fig10-wgsl bench --on webgpu --out "$out"
PATC_CACHE=${PATC_CACHE:-$(mktemp -d)}
export PATC_CACHE
part cells cells
part choices choices
part planner planner

! grep -qE '^\S+ +(FAILED|late) ' "$out/summary.txt"
