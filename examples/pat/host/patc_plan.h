/*
 * patc_plan: plans prefix-aware decode attention on the host. C ABI, no dependencies, no exceptions.
 *
 * From a batch (page tables and lengths) to the tables that the forward and merge kernels read; byte for byte what the
 * TypeScript planner makes. See docs/planner.md. A planner keeps its memory between calls: after the first few calls it
 * allocates no more than a few lists of packs or of up to eight sequences. One planner per thread.
 */
#ifndef PATC_PLAN_H
#define PATC_PLAN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Results. Negative values are errors, and leave the planner as it was before the call or without a plan. */
enum {
  PATC_OK = 0,        /* planned anew */
  PATC_REPAIRED = 1,  /* patc_repair, patc_grow: only ends of entries changed */
  PATC_GROWN = 2,     /* patc_grow: planned anew, but page lists were not compared again */
  PATC_BAD_BATCH = -1,
  PATC_NO_TILE = -2,  /* no tile holds the query heads of one KV head */
  PATC_NO_MEMORY = -3,
  PATC_NO_PLAN = -4,  /* patc_repair, patc_grow or patc_write_fixed before patc_plan */
  PATC_NO_ROOM = -5   /* patc_write_fixed: the plan exceeds the capacity; nothing was written */
};

/* A compiled tile shape and its costs: picoseconds for one KV head, weights in 1/256. */
typedef struct patc_tile {
  int32_t m, n, stages;
  int32_t variant; /* of kernels with these numbers: 0 all warps copy and multiply, 1 a warp copies, 2 and wgmma multiplies */
  int64_t token; /* one token on one unit */
  int64_t alone; /* one token of a pack whose unit runs nothing else; at least token */
  int64_t warp;  /* a token again for every 16 rows more that read it, in 1/256 of a token */
  int64_t pack;  /* fixed work of a pack */
  int64_t start; /* fixed time of a launch */
  int64_t w_max, w_min;
} patc_tile;

/* Device numbers. Tiles ascend by m, then n, then stages, then variant. */
typedef struct patc_costs {
  int32_t units; /* SMs or compute units */
  int32_t tile_count;
  const patc_tile *tiles;
  int64_t memory_token; /* one token of one KV head from memory, whole machine */
  int64_t cache_token;  /* the same from L2 */
  int64_t partial_row;
  int64_t launch;
  int64_t cached_tokens; /* unique tokens (all heads) below which KV stays in L2 */
  int64_t cached;        /* what of its memory time is left then, in 1/256 */
} patc_costs;

/* A decode batch. `table_begin[s]` is where sequence s's page list begins in `pages`; lengths are at most 2^30. */
typedef struct patc_batch {
  int32_t sequences, page, q_heads, kv_heads;
  const int32_t *lengths;
  const int32_t *table_begin;
  const int32_t *pages;
} patc_batch;

typedef struct patc_shape {
  int32_t m, n, stages, variant, pack_base, pack_count;
} patc_shape;

/* Plan tables. They belong to the planner and are valid until its next call. */
typedef struct patc_tables {
  int32_t pack_count, row_count, entry_count, merge_count, slot_count, shape_count;
  const int32_t *packs;          /* [pack_count + 1][4] seq_begin, seq_count, entry_begin, entry_end; last row zero */
  const int32_t *pack_sequences; /* [row_count] */
  const int32_t *pack_slots;     /* [row_count] partial slot, -1: writes the output */
  const int32_t *entries;        /* [entry_count][5] page_base, from, to, first, count; two side by side for steps with lanes, see lanes.ts */
  const int32_t *merges;         /* [merge_count][3] sequence, slot_begin, slot_count */
  const patc_shape *shapes;      /* [shape_count] in launch order */
  int32_t streams;               /* 1: the batch's KV is more than L2 holds; the forward kernel's scalar of that name */
} patc_tables;

typedef struct patc_planner patc_planner;

/* Copies the costs. `invariant_span` > 0: cut every sequence at its multiples, whatever its neighbours are. NULL: no memory. */
patc_planner *patc_planner_create(const patc_costs *costs, int32_t invariant_span);
void patc_planner_destroy(patc_planner *planner);

/* Plans a batch. `pages` must stay valid for patc_repair only where it plans anew. */
int patc_plan(patc_planner *planner, const patc_batch *batch, patc_tables *tables);

/*
 * The same batch at other lengths, its page lists unchanged or appended to; `batch` as it is now. Where lengths changed only
 * inside last pages that nobody shares, entries are patched (PATC_REPAIRED); otherwise the batch is planned anew (PATC_OK). The
 * tables equal those of patc_plan either way.
 */
int patc_repair(patc_planner *planner, const patc_batch *batch, patc_tables *tables);

/*
 * A decode step: the same sequences in the same order, page lists unchanged or appended to by pages that nobody else has. As
 * patc_repair, but where pages were added, what is shared is taken from the plan before instead of being found again; page lists
 * are not read, so a caller that breaks the promise gets a plan for other pages than its own. The tables equal those of patc_plan.
 */
int patc_grow(patc_planner *planner, const patc_batch *batch, patc_tables *tables);

/*
 * Tables of fixed capacity, for CUDA graphs: the caller's own buffers, laid out the same at every step. Tile i of the planner's
 * costs owns packs i * packs .. (i + 1) * packs - 1, launched whole; what a step does not use is zero (pack_slots: -1).
 */
typedef struct patc_fixed {
  int32_t packs, rows, entries, merges, slots; /* capacity; packs is per tile */
  int32_t *pack_table;                         /* [tile_count * packs + 1][4] */
  int32_t *pack_sequences;                     /* [rows] */
  int32_t *pack_slots;                         /* [rows] */
  int32_t *entry_table;                        /* [entries][5] */
  int32_t *merge_table;                        /* [merges][3] */
} patc_fixed;

/* Writes the planner's current tables into `fixed`. */
int patc_write_fixed(const patc_planner *planner, const patc_fixed *fixed);

/* Costs of an NVIDIA H100 for tiles of (m, n, stages, variant); what `patc plan` assumes. Writes `tile_count` costs to `tiles`. */
void patc_costs_h100(int32_t units, int32_t head_dim, int32_t element_bytes, const int32_t (*shapes)[4], int32_t tile_count,
                     patc_tile *tiles, patc_costs *costs);

const char *patc_message(int result);

#ifdef __cplusplus
}
#endif

#endif
