// Times the C++ planner on serving batches: a 2,112-token system prompt, half of the sequences with one of four 1,024-token
// documents, 200 to 3,200 private tokens, page 16, 32/8 heads. Prints one JSON object a line. One core; medians, and the fastest, which other work on the
// machine disturbs least.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "patc_plan.h"

namespace {

constexpr int32_t page = 16, prompt = 2112, document = 1024;

struct Batch {
  std::vector<int32_t> lengths, begins, pages;
};

/** `grown`: tokens that every sequence has had since. */
Batch serving(int32_t n, int32_t grown = 0) {
  uint32_t state = 1;
  auto draw = [&] { return (state = state * 1664525u + 1013904223u) >> 8; };
  Batch b;
  int32_t next = prompt / page + 4 * document / page;
  for (int32_t s = 0; s < n; s++) {
    int32_t with = s % 2, length = prompt + with * document + 200 + static_cast<int32_t>(draw() % 3001) + grown;
    b.lengths.push_back(length);
    b.begins.push_back(static_cast<int32_t>(b.pages.size()));
    int32_t count = (length + page - 1) / page;
    for (int32_t i = 0; i < count; i++) {
      if (i < prompt / page) b.pages.push_back(i);
      else if (with && i < (prompt + document) / page) b.pages.push_back(i + (s / 2 % 4) * (document / page));
      else b.pages.push_back(next++);
    }
  }
  return b;
}

struct Times {
  double median, fastest;
};

template <class F>
Times measure_us(int repeats, F run) {
  std::vector<double> times;
  for (int i = 0; i < repeats; i++) {
    auto begin = std::chrono::steady_clock::now();
    run();
    times.push_back(std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count());
  }
  std::sort(times.begin(), times.end());
  return {times[times.size() / 2], times[0]};
}

}  // namespace

int main(int argc, char **argv) {
  const int32_t shapes[][4] = {{16, 64, 3, 0}, {32, 64, 3, 0}, {64, 64, 3, 0}, {128, 64, 3, 0}};
  patc_tile tiles[4];
  patc_costs costs;
  patc_costs_h100(132, 128, 2, shapes, 4, tiles, &costs);
  for (int i = 1; i < argc; i++) {
    int32_t n = std::atoi(argv[i]);
    Batch b = serving(n);
    std::vector<int32_t> grown = b.lengths;
    patc_planner *planner = patc_planner_create(&costs, 0);
    patc_batch batch = {n, page, 32, 8, b.lengths.data(), b.begins.data(), b.pages.data()};
    patc_tables tables;
    int repeats = n <= 4096 ? 2000 : 100;
    Times plan = measure_us(repeats, [&] { if (patc_plan(planner, &batch, &tables) != PATC_OK) std::exit(1); });
    // A decode step with no new page: sequences with room in their last page grow by one token, then go back.
    for (int32_t s = 0; s < n; s++)
      if (b.lengths[s] % page != 0) grown[s]++;
    patc_batch step = batch;
    bool odd = false;
    patc_plan(planner, &batch, &tables);
    Times repair = measure_us(repeats, [&] {
      step.lengths = (odd = !odd) ? grown.data() : b.lengths.data();
      if (patc_repair(planner, &step, &tables) != PATC_REPAIRED) std::exit(1);
    });
    // Decode steps as they are: every sequence grows by one token, and about a sixteenth of them by a page.
    Batch steps[page + 1];
    for (int32_t i = 0; i <= page; i++) steps[i] = serving(n, i);
    int at = 0;
    Times grow = measure_us(repeats, [&] {
      if (at == page) at = 0, patc_plan(planner, &batch, &tables);
      const Batch &g = steps[++at];
      step.lengths = g.lengths.data(), step.table_begin = g.begins.data(), step.pages = g.pages.data();
      if (patc_grow(planner, &step, &tables) < 0) std::exit(1);
    });
    std::printf("{\"sequences\": %d, \"planUs\": %.2f, \"fastestUs\": %.2f, \"growUs\": %.2f, \"fastestGrowUs\": %.2f, \"repairUs\": %.2f, \"nsPerSequence\": %.1f, \"packs\": %d, \"slots\": %d}\n",
                n, plan.median, plan.fastest, grow.median, grow.fastest, repair.median, plan.median * 1000 / n, tables.pack_count, tables.slot_count);
    patc_planner_destroy(planner);
  }
  return 0;
}
