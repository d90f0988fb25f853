#!/usr/bin/env bash
# Runs the PAT program on a device over its input matrix, verified against float64. usage: gpu-matrix.sh cuda|webgpu
on=${1:-cuda}
fails=0
one() {
  out=$(node bin/patc.js run pat --on "$on" --verify --json "$@" 2>/tmp/err) || { fails=$((fails+1)); echo "FAIL $*: $(tail -c 300 /tmp/err) $(echo "$out" | tail -c 300)"; return; }
  echo "$out" | node -e 'const r=JSON.parse(require("fs").readFileSync(0,"utf8"));console.log((r.ok?"ok  ":"BAD ")+process.argv[1], "err", r.relError?.toExponential(2), "launches", r.launches, "us", r.timeUs, "floor", r.floorUs, "packs", r.plan.packs, "splits", r.plan.splits)' -- "$*"
}
R="--workload random:7,batch=48"
one $R --heads 28/4 --head-dim 128 --page 16 --dtype f16
for h in 5/5 24/8 40/8 32/2; do one $R --heads $h --head-dim 128; done
for d in 64 80 96 192 256; do one $R --heads 28/4 --head-dim $d; done
for p in 1 8 48 128; do one $R --heads 28/4 --page $p; done
one $R --heads 28/4 --dtype bf16
for k in pat node none; do one $R --heads 28/4 --packing $k; done
for t in 1,10_4096,416 1,256_256,32 1,4,256_32,256,32 1,2,64_1024,256,256; do one --workload $t --heads 32/8 --page 32 --repeats 30; done
one --workload 1,1024_2048,32 --heads 16/8 --page 32 --repeats 30
exit $fails
