// Reads cases as doubles from a file (see planner.ts), plans and repairs each, writes the tables as 32-bit integers.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "patc_plan.h"

static std::vector<double> values;
static size_t at = 0;
static int64_t next() { return at < values.size() ? static_cast<int64_t>(values[at++]) : 0; }
static int32_t next32() { return static_cast<int32_t>(next()); }

static std::vector<int32_t> list(int64_t n) {
  std::vector<int32_t> out(static_cast<size_t>(n));
  for (int32_t &x : out) x = next32();
  return out;
}

static void put(std::vector<int32_t> &out, const int32_t *data, size_t n) { out.insert(out.end(), data, data + n); }

static void write(std::vector<int32_t> &out, int result, const patc_tables &t) {
  out.push_back(result);
  if (result < 0) return;
  const int32_t counts[] = {t.pack_count, t.row_count, t.entry_count, t.merge_count, t.slot_count, t.shape_count, t.streams};
  put(out, counts, 7);
  put(out, t.packs, 4 * (static_cast<size_t>(t.pack_count) + 1));
  put(out, t.pack_sequences, t.row_count);
  put(out, t.pack_slots, t.row_count);
  put(out, t.entries, 5 * static_cast<size_t>(t.entry_count));
  put(out, t.merges, 3 * static_cast<size_t>(t.merge_count));
  for (int32_t i = 0; i < t.shape_count; i++) put(out, &t.shapes[i].m, 6);
}

// h100 UNITS HEAD_DIM BYTES (M N STAGES VARIANT)...: the costs as text.
static int h100(int argc, char **argv) {
  int32_t shapes[16][4], count = 0;
  for (int i = 5; i + 3 < argc && count < 16; i += 4, count++)
    for (int j = 0; j < 4; j++) shapes[count][j] = std::atoi(argv[i + j]);
  patc_tile tiles[16];
  patc_costs c;
  patc_costs_h100(std::atoi(argv[2]), std::atoi(argv[3]), std::atoi(argv[4]), shapes, count, tiles, &c);
  auto line = [](const std::vector<int64_t> &numbers) {
    for (size_t i = 0; i < numbers.size(); i++) std::printf(i ? " %lld" : "%lld", static_cast<long long>(numbers[i]));
    std::printf("\n");
  };
  line({c.memory_token, c.cache_token, c.partial_row, c.launch, c.cached_tokens, c.cached});
  for (int32_t i = 0; i < count; i++) {
    const patc_tile &t = tiles[i];
    line({t.m, t.n, t.stages, t.variant, t.token, t.alone, t.warp, t.pack, t.start, t.w_max, t.w_min});
  }
  return 0;
}

int main(int argc, char **argv) {
  if (argc >= 5 && std::strcmp(argv[1], "h100") == 0) return h100(argc, argv);
  if (argc != 3) return 2;
  std::FILE *in = std::fopen(argv[1], "rb");
  if (!in) return 2;
  std::fseek(in, 0, SEEK_END);
  values.resize(static_cast<size_t>(std::ftell(in)) / sizeof(double));
  std::rewind(in);
  if (std::fread(values.data(), sizeof(double), values.size(), in) != values.size()) return 2;
  std::fclose(in);
  std::vector<int32_t> out;
  for (int64_t cases = next(); cases > 0; cases--) {
    std::vector<patc_tile> tiles(static_cast<size_t>(next()));
    for (patc_tile &t : tiles) {
      t.m = next32(), t.n = next32(), t.stages = next32(), t.variant = next32();
      t.token = next(), t.alone = next(), t.warp = next(), t.pack = next(), t.start = next(), t.w_max = next(), t.w_min = next();
    }
    patc_costs costs{};
    costs.units = next32();
    costs.tile_count = static_cast<int32_t>(tiles.size());
    costs.tiles = tiles.data();
    costs.memory_token = next(), costs.cache_token = next(), costs.partial_row = next(), costs.launch = next(), costs.cached_tokens = next(), costs.cached = next();
    patc_planner *planner = patc_planner_create(&costs, next32());
    // One planner for every batch of a case: nothing may be left over from the one before.
    for (int64_t steps = next(); steps > 0; steps--) {
      int64_t how = next();
      patc_batch batch{};
      batch.sequences = next32(), batch.page = next32(), batch.q_heads = next32(), batch.kv_heads = next32();
      std::vector<int32_t> lengths = list(batch.sequences), begins = list(batch.sequences), pages = list(next());
      batch.lengths = lengths.data(), batch.table_begin = begins.data(), batch.pages = pages.data();
      patc_tables tables{};
      auto *plan = how == 2 ? patc_grow : how == 1 ? patc_repair : patc_plan;
      int result = plan(planner, &batch, &tables);
      write(out, result, tables);
      int32_t packs = next32(), rows = next32(), entries = next32(), merges = next32(), slots = next32();
      if (packs == 0) continue;
      std::vector<int32_t> buffers[] = {std::vector<int32_t>(4 * (tiles.size() * packs + 1), 7), std::vector<int32_t>(rows, 7),
                                        std::vector<int32_t>(rows, 7), std::vector<int32_t>(5 * entries, 7), std::vector<int32_t>(3 * merges, 7)};
      patc_fixed fixed = {packs, rows, entries, merges, slots, buffers[0].data(), buffers[1].data(), buffers[2].data(), buffers[3].data(), buffers[4].data()};
      out.push_back(patc_write_fixed(planner, &fixed));
      for (const auto &buffer : buffers) put(out, buffer.data(), buffer.size());
    }
    patc_planner_destroy(planner);
  }
  std::FILE *file = std::fopen(argv[2], "wb");
  if (!file || std::fwrite(out.data(), 4, out.size(), file) != out.size()) return 2;
  return std::fclose(file) == 0 ? 0 : 2;
}
