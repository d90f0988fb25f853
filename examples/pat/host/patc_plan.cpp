// patc_plan: the host planner. The order of this file is the order of planning: forest, work, packs, scores, choice, tiles,
// entries, tables. Everything that decides is integer arithmetic, the same as in the TypeScript planner (examples/pat/*.ts), which
// explains each step.
#include "patc_plan.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iterator>
#include <new>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace {

using Ints = std::vector<int32_t>;

constexpr int32_t none = -1;
constexpr int few_sequences = 8;
constexpr int64_t smallest_piece = 32;
constexpr int limits[] = {24, 12, 8, 6, 4, 3};
constexpr int closer[] = {13, 14, 15, 17, 18, 20};
constexpr int fills[] = {12, 6, 24, 9, 18, 4, 8, 36, 10, 3, 48};
constexpr int more[] = {1, 2, 3};
constexpr int64_t most_work = 0x3fffffff;

/**
 * a / b of numbers that are not negative: on many processors 32 bits divide several times faster than 64, and so do doubles, whose
 * quotient of integers below 2^53 never rounds up to the next one.
 */
int64_t quotient(int64_t a, int64_t b) {
  if (((a | b) >> 32) == 0) return static_cast<uint32_t>(a) / static_cast<uint32_t>(b);
  if (((a | b) >> 53) == 0) return static_cast<int64_t>(static_cast<double>(a) / static_cast<double>(b));
  return a / b;
}

int64_t ceil_div(int64_t a, int64_t b) { return quotient(a + b - 1, b); }

/** The page size: most are powers of two, and a shift is several times faster than a division. */
struct Page {
  int32_t size = 1, shift = -1;

  explicit Page(int32_t tokens = 1) : size(tokens) {
    if ((tokens & (tokens - 1)) != 0) return;
    for (shift = 0; 1 << shift < tokens; shift++) {}
  }
  int32_t of(int32_t token) const { return shift >= 0 ? token >> shift : token / size; }
  int32_t count(int32_t tokens) const { return of(tokens + size - 1); }
  int32_t up(int32_t tokens) const { return down(tokens + size - 1); }
  int32_t down(int32_t token) const { return shift >= 0 ? token & -size : token / size * size; }
  /** Half of so many tokens, rounded up, in whole pages. */
  int32_t half(int32_t tokens) const { return (count(tokens) >> 1) * size; }
};

// ---------------------------------------------------------------- page lists

/** The first i from `i` on where lists a and b differ, or `end`. Sixteen at a time: most runs are equal throughout. */
int32_t mismatch(const int32_t *a, const int32_t *b, int32_t i, int32_t end) {
  for (; i + 16 <= end; i += 16) {
#if defined(__SSE2__)
    const __m128i *x = reinterpret_cast<const __m128i *>(a + i), *y = reinterpret_cast<const __m128i *>(b + i);
    auto same = [x, y](int k) { return _mm_cmpeq_epi32(_mm_loadu_si128(x + k), _mm_loadu_si128(y + k)); };
    const int32_t equal = _mm_movemask_epi8(_mm_packs_epi16(_mm_packs_epi32(same(0), same(1)), _mm_packs_epi32(same(2), same(3))));
    if (equal == 0xffff) continue;
#if defined(__GNUC__)
    return i + __builtin_ctz(~static_cast<uint32_t>(equal));
#else
    break;
#endif
#else
    if (std::memcmp(a + i, b + i, 16 * sizeof(int32_t)) != 0) break;
#endif
  }
  while (i < end && a[i] == b[i]) i++;
  return i;
}

// ---------------------------------------------------------------- forest

/** Those of a run that leave the path of its first at one depth with one page. `at`: how many, then where in the run the next one goes. */
struct Branch {
  int32_t depth, key, at;
};

/** Branches of a run in the order of their first sequences, by a hash table that compares depth and page. */
struct Branches {
  Branch *list;
  // Of each of the run's sequences, its branch, none where it ends on the path.
  int32_t *of;
  int32_t count;
  // Whether all branches have one depth.
  bool level;
  int32_t *slot_of;
  uint32_t mask, shift;

  void join(int32_t k, int32_t depth, int32_t key) {
    uint32_t slot = (static_cast<uint32_t>(key ^ depth) * 0x9e3779b1u) >> shift;
    int32_t own;
    while ((own = slot_of[slot]) != none && (list[own].key != key || list[own].depth != depth)) slot = (slot + 1) & mask;
    if (own == none) {
      slot_of[slot] = own = count++;
      list[own] = {depth, key, 0};
      level &= depth == list[0].depth;
    }
    list[own].at++;
    of[k] = own;
  }
};

#if defined(__GNUC__) && defined(__x86_64__)
/**
 * Sequences of a run from k on that leave the path of its first after `expected` pages, at least 16 above `start`; returns who is next.
 * Four are compared together: that loads the path once, ends with one branch, and takes half the time of one after another. `same`: of the
 * four at which it stops, a bit for each that is on the path up to there.
 */
__attribute__((target("avx2"))) int32_t leave_alike(const patc_batch &b, const int32_t *order, int32_t k, int32_t size, int32_t start,
                                                    int32_t expected, Branches &all, int32_t &same) {
  const int32_t *const lengths = b.lengths, *const begins = b.table_begin, *const pages = b.pages, *const path = pages + begins[order[0]];
  const int32_t depth = expected * b.page, there = path[expected];
  // A copy, whose counts compilers keep in registers.
  Branches branches = all;
  same = 0;
  for (; k + 4 <= size; k += 4) {
    const int32_t *const who = order + k;
    if (std::min(std::min(lengths[who[0]], lengths[who[1]]), std::min(lengths[who[2]], lengths[who[3]])) <= depth) break;
    const int32_t *const list[] = {pages + begins[who[0]], pages + begins[who[1]], pages + begins[who[2]], pages + begins[who[3]]};
    // Those that come next are probably as long.
    const int32_t *const then = order + std::min(k + 4, size - 4);
    const int32_t *const later[] = {pages + begins[then[0]], pages + begins[then[1]], pages + begins[then[2]], pages + begins[then[3]]};
    const __m256i zero = _mm256_setzero_si256();
    __m256i differ[] = {zero, zero, zero, zero};
    auto compare = [&](int32_t i) __attribute__((target("avx2"))) {
      auto at = [i](const int32_t *pages_of) { return reinterpret_cast<const __m256i *>(pages_of + i); };
      const __m256i on_path = _mm256_loadu_si256(at(path));
      differ[0] = _mm256_or_si256(differ[0], _mm256_xor_si256(on_path, _mm256_loadu_si256(at(list[0]))));
      differ[1] = _mm256_or_si256(differ[1], _mm256_xor_si256(on_path, _mm256_loadu_si256(at(list[1]))));
      differ[2] = _mm256_or_si256(differ[2], _mm256_xor_si256(on_path, _mm256_loadu_si256(at(list[2]))));
      differ[3] = _mm256_or_si256(differ[3], _mm256_xor_si256(on_path, _mm256_loadu_si256(at(list[3]))));
    };
    int32_t i = start;
    for (; i + 16 <= expected; i += 16) {
      __builtin_prefetch(later[0] + i);
      __builtin_prefetch(later[1] + i);
      __builtin_prefetch(later[2] + i);
      __builtin_prefetch(later[3] + i);
      compare(i);
      compare(i + 8);
    }
    // The last ones overlap those before them.
    if (i + 8 < expected) compare(expected - 16);
    if (i < expected) compare(expected - 8);
    auto equal = [&differ](int32_t l) __attribute__((target("avx2"))) { return _mm256_testz_si256(differ[l], differ[l]); };
    const int32_t equals = equal(0) | equal(1) << 1 | equal(2) << 2 | equal(3) << 3;
    const int32_t keys[] = {list[0][expected], list[1][expected], list[2][expected], list[3][expected]};
    if (equals != 15 || keys[0] == there || keys[1] == there || keys[2] == there || keys[3] == there) {
      same = equals;
      break;
    }
    for (int32_t l = 0; l < 4; l++) branches.join(k + l, depth, keys[l]);
  }
  all = branches;
  return k;
}

const bool has_alike = __builtin_cpu_supports("avx2");
#else
int32_t leave_alike(const patc_batch &, const int32_t *, int32_t k, int32_t, int32_t, int32_t, Branches &, int32_t &) { return k; }
const bool has_alike = false;
#endif

/** Depth-first order and shared lengths, one run of sequences after another: forest.ts. */
struct Forest {
  /** begin..end - 1 of the order: sequences that share `depth` tokens and the page after them, in the order they were given. */
  struct Run {
    int32_t begin, end, depth;
  };
  std::vector<Run> runs;
  // Of a run: who ends on the path, as depth << 20 | member; and where the others leave it.
  std::vector<uint64_t> path;
  Branches branches = {};
  std::vector<Branch> branch_list;
  Ints branch_of, slots, members, sorted;
  int32_t path_size = 0;
  Page page;

  void build(const patc_batch &b, const int32_t *sequences, Ints &order, Ints &lcp) {
    const size_t n = static_cast<size_t>(b.sequences);
    page = Page(b.page);
    if (path.size() < n) {
      for (Ints *list : {&branch_of, &members, &sorted}) list->resize(n);
      path.resize(n);
      branch_list.resize(n);
    }
    order.resize(n);
    lcp.resize(n);
    for (int32_t i = 0; i < b.sequences; i++) order[i] = sequences ? sequences[i] : i;
    lcp[0] = 0;
    runs.clear();
    if (n > 1) runs.push_back({0, b.sequences, 0});
    while (!runs.empty()) {
      const Run run = runs.back();
      runs.pop_back();
      split(b, run, order.data() + run.begin, lcp.data() + run.begin);
    }
  }

 private:
  /** Who ends on the path of the run's first, as it goes down, then the branches, deepest first. */
  void split(const patc_batch &b, const Run &run, int32_t *order, int32_t *lcp) {
    const int32_t size = run.end - run.begin;
    clear(size);
    leave(b, page.of(run.depth), size, order);
    const int32_t count = branches.count;
    const bool level = branches.level;
    if (count == size - 1 && level) {
      // Everyone goes their own way from one token on: already in order.
      std::fill(lcp + 1, lcp + size, branches.list[0].depth);
      return;
    }
    std::copy(order, order + size, members.data());
    if (path_size > 1) std::sort(path.begin(), path.begin() + path_size);
    for (int32_t i = 0; i < path_size; i++) {
      order[i] = members[path[i] & 0xfffff];
      if (i > 0) lcp[i] = static_cast<int32_t>(path[i - 1] >> 20);
    }
    if (!level) sort_branches();
    Branch *list = branches.list;
    const int32_t *by_depth = level ? nullptr : sorted.data();
    for (int32_t i = 0, end = path_size; i < count; i++) {
      Branch &branch = list[by_depth ? by_depth[i] : i];
      const int32_t begin = end;
      end += branch.at;
      lcp[begin] = branch.depth;
      if (branch.at > 1) runs.push_back({run.begin + begin, run.begin + end, branch.depth});
      branch.at = begin;
    }
    const int32_t *own = branches.of, *who = members.data();
    for (int32_t k = 1; k < size; k++)
      if (own[k] != none) order[list[own[k]].at++] = who[k];
  }

  /** No branches yet of a run of so many. */
  void clear(int32_t size) {
    uint32_t room = 16, shift = 28;
    for (; room < 4 * static_cast<uint32_t>(size); shift--) room *= 2;
    if (slots.size() < room) slots.resize(room);
    std::fill(slots.begin(), slots.begin() + room, none);
    branches = {branch_list.data(), branch_of.data(), 0, true, slots.data(), room - 1, shift};
  }

  /** Compares the pages of a run's sequences with those of its first. */
  void leave(const patc_batch &b, int32_t start, int32_t size, const int32_t *order) {
    const int32_t *lengths = b.lengths, *begins = b.table_begin, *pages = b.pages, *first = pages + begins[order[0]], end = lengths[order[0]];
    const Page whole = page;
    uint64_t *ended = path.data();
    // `expected`: most leave where those before them did.
    int32_t ends = 1, expected = start;
    ended[0] = static_cast<uint64_t>(end) << 20;
    for (int32_t k = 1; k < size;) {
      int32_t same = 0;
      if (has_alike && expected - start >= 16 && expected * whole.size < end) k = leave_alike(b, order, k, size, start, expected, branches, same);
      // The first one tells where to expect the others.
      const int32_t stop = std::min(k == 1 ? 2 : k + 4, size);
      int32_t least = end;
      for (; k < stop; k++, same >>= 1) {
        const int32_t s = order[k], length = lengths[s], *mine = pages + begins[s];
        int32_t depth = std::min(length, end), last = whole.count(depth), at = mismatch(mine, first, same & 1 ? expected : start, last);
        least = std::min(least, at);
        if (at < last) depth = at * whole.size;
        else at = whole.of(depth);
        if (depth < length) {
          branches.join(k, depth, mine[at]);
          continue;
        }
        branches.of[k] = none;
        ended[ends++] = static_cast<uint64_t>(depth) << 20 | static_cast<uint64_t>(k);
      }
      expected = least;
    }
    path_size = ends;
  }

  /** Deepest first; of one depth, in the order of their first sequences. */
  void sort_branches() {
    // Most often there are a few depths.
    constexpr int32_t most = 16;
    const Branch *list = branches.list;
    const int32_t count = branches.count;
    int32_t depths[most], distinct = 0, at = 0;
    for (int32_t i = 0; i < count && distinct <= most; i++) {
      int32_t d = 0;
      while (d < distinct && depths[d] != list[i].depth) d++;
      if (d == distinct && distinct++ < most) depths[d] = list[i].depth;
    }
    if (distinct > most) {
      // Who ends on the path is placed by now, so `path` is free.
      for (int32_t i = 0; i < count; i++) path[i] = static_cast<uint64_t>(0x7fffffff - list[i].depth) << 20 | static_cast<uint64_t>(i);
      std::sort(path.begin(), path.begin() + count);
      for (int32_t i = 0; i < count; i++) sorted[i] = static_cast<int32_t>(path[i] & 0xfffff);
      return;
    }
    std::sort(depths, depths + distinct);
    while (distinct-- > 0)
      for (int32_t i = 0; i < count; i++)
        if (list[i].depth == depths[distinct]) sorted[at++] = i;
  }
};

// ---------------------------------------------------------------- work

/** Tokens of a lane of steps of n tokens: lanes.ts. */
int32_t lane_tokens(int32_t n, int32_t page) { return n >= 64 && n % 2 == 0 && n / 2 % page == 0 ? n / 2 : n; }

/** How a tile counts work: packers/work.ts. */
struct Pace {
  // What a token costs again for every sequence more that reads it, in 1/256 of a token.
  int64_t reread = 0;
  // An entry takes whole steps of a lane, of so many tokens; 1 where whole pages are whole steps. `mask`: one less, of a power of two.
  int32_t step = 1, mask = 0;
  // [sequences + 1] sums of what fills up the last step of each sequence's own tokens; none where `step` is 1.
  const int64_t *pads = nullptr;

  int32_t pad(int32_t tokens) const {
    if (mask >= 0) return -tokens & mask;
    const int32_t rest = tokens % step;
    return rest > 0 ? step - rest : 0;
  }
  int64_t pad(int32_t b, int32_t e) const { return pads ? pads[e] - pads[b] : 0; }
};

/** What a token costs again for every sequence more that reads it, in 1/256 of a token. */
int64_t reread_cost(const patc_tile &t, int64_t group) { return t.warp * group / 16; }

/** Tokens loaded, and the reads of them beyond each one's first at `reread` / 256. */
int64_t work_of(int64_t loaded, int64_t reads, int64_t reread) { return reread == 0 ? loaded : loaded + reread * (reads - loaded) / 256; }

struct Work {
  const patc_batch *batch = nullptr;
  // `shared`: one more, 0.
  Ints order, lcp, length, shared;
  // [sequences + 1] sums before each sequence: of the tokens that it does not share with the one before, and of its length.
  struct Sums {
    int64_t own, all;
  };
  std::vector<Sums> before;
  // By step size: sums of paddings. The lists stay for the next batch; `padded` says how many are of this one.
  struct Pads {
    int32_t step;
    std::vector<int64_t> sums;
  };
  std::vector<Pads> pads;
  size_t padded = 0;
  // `common`: tokens that all sequences share, in whole pages.
  int32_t group = 1, align = 1, common = 0;
  Page page, cut;

  void measure(const patc_batch &b) {
    batch = &b;
    padded = 0;
    page = Page(b.page);
    int32_t n = b.sequences;
    group = b.q_heads / b.kv_heads;
    align = b.page * ((16 + b.page - 1) / b.page);
    cut = Page(align);
    length.resize(n);
    shared.resize(n + 1);
    before.resize(n + 1);
    // A power of two most often, and then one branch for all rather than two for each.
    if (page.shift >= 0) sum_up([mask = b.page - 1](int32_t x) { return (x + mask) & ~mask; });
    else sum_up([this](int32_t x) { return page.up(x); });
  }

  template <class Up>
  void sum_up(Up up) {
    const int32_t n = batch->sequences, *lengths = batch->lengths, *at = order.data(), *known = lcp.data();
    int32_t least = n > 1 ? up(known[1]) : 0;
    int32_t *l = length.data(), *s = shared.data();
    Sums *out = before.data(), sum = {0, 0};
    out[0] = sum;
    for (int32_t i = 0; i < n; i++) {
      l[i] = up(lengths[at[i]]);
      s[i] = up(known[i]);
      least = i > 0 ? std::min(least, s[i]) : least;
      sum.own += l[i] - s[i];
      sum.all += l[i];
      out[i + 1] = sum;
    }
    s[n] = 0;
    common = least;
  }

  int32_t size() const { return static_cast<int32_t>(length.size()); }
  int64_t unique() const { return before[static_cast<size_t>(size())].own; }
  int64_t load(int32_t b, int32_t e) const { return shared[b] + before[e].own - before[b].own; }
  int64_t read(int32_t b, int32_t e) const { return before[e].all - before[b].all; }

  /** Work of a path pack of sequences b..e-1. */
  int64_t work(const Pace &pace, int32_t b, int32_t e) const { return work_of(load(b, e), read(b, e), pace.reread) + pace.pad(b, e); }

  Pace pace(const patc_tile &t) {
    const int64_t reread = reread_cost(t, group);
    const int32_t step = lane_tokens(t.n, page.size);
    if (page.size % step == 0) return {reread, 1, 0, nullptr};
    Pace pace = {reread, step, (step & (step - 1)) == 0 ? step - 1 : none, nullptr};
    pace.pads = pads_of(pace);
    return pace;
  }

  /** The forest's tokens, each once, in whole steps of the tile. */
  int64_t own_tokens(const patc_tile &t) { return unique() + pace(t).pad(0, size()); }

 private:
  template <class Pad>
  void pad_up(int64_t *out, Pad pad) const {
    const int32_t n = size(), *l = length.data(), *s = shared.data();
    int64_t sum = 0;
    for (int32_t i = 0; i < n; i++) {
      const int32_t next = std::max(s[i], s[i + 1]);
      out[i + 1] = sum += pad(next - s[i]) + pad(l[i] - next);
    }
  }

  const int64_t *pads_of(const Pace &pace) {
    for (size_t i = 0; i < padded; i++)
      if (pads[i].step == pace.step) return pads[i].sums.data();
    if (pads.size() == padded) pads.emplace_back();
    Pads &list = pads[padded++];
    list.step = pace.step;
    list.sums.resize(static_cast<size_t>(size()) + 1);
    int64_t *out = list.sums.data();
    out[0] = 0;
    // A power of two most often, and then no branch.
    if (pace.mask >= 0) pad_up(out, [mask = pace.mask](int32_t tokens) { return -tokens & mask; });
    else pad_up(out, [pace](int32_t tokens) { return pace.pad(tokens); });
    return out;
  }
};

// ---------------------------------------------------------------- packs

/** Tokens from..to - 1 of the page list of a pack's row `first`, for rows first..first + count - 1. */
struct Part {
  int32_t from, to, first, count;
};

struct Pack {
  // In `sequences` and in `parts`, where what other packs read too comes before what only this pack reads.
  int32_t row_begin, part_begin, own_begin;
  // Tokens in whole pages: of both kinds, and of the longest part that only this pack reads.
  int32_t own_longest;
  int64_t shared_tokens, own_tokens;
  // Tokens loaded, reads of them, and what fills up the last steps of parts, in the tile the packer had in mind.
  int64_t load, reads, pad;

  int64_t work(int64_t reread) const { return work_of(load, reads, reread) + pad; }
};

/** What a packer writes. */
struct PackList {
  // One more than there are packs, for its begins.
  std::vector<Pack> packs;
  // Storage that only grows; `rows` and `part_count` say how much of it is in use.
  Ints sequences;
  std::vector<Part> parts;
  int32_t rows = 0, part_count = 0;

  void reset() {
    packs.assign(1, Pack{});
    rows = part_count = 0;
  }
  int32_t count() const { return static_cast<int32_t>(packs.size()) - 1; }
  int32_t rows_of(int32_t p) const { return packs[static_cast<size_t>(p) + 1].row_begin - packs[p].row_begin; }
  int32_t parts_of(int32_t p) const { return packs[static_cast<size_t>(p) + 1].part_begin - packs[p].part_begin; }

  /** Where the next rows and parts go, with room for so many; one part more may be read. */
  int32_t *more_rows(int32_t n) { return room(sequences, rows, n); }
  Part *more_parts(int32_t n) { return room(parts, part_count, n); }

  /** The pack at hand has so many more rows and parts. */
  void close(int32_t more, int32_t shared, int32_t own) {
    packs.back().own_begin = part_count + shared;
    rows += more;
    part_count += shared + own;
    packs.push_back({rows, part_count, part_count, 0, 0, 0, 0, 0, 0});
  }

  template <class T>
  static T *room(std::vector<T> &list, int32_t used, int32_t more) {
    const size_t wanted = static_cast<size_t>(used) + static_cast<size_t>(more);
    if (list.size() < wanted) list.resize(2 * wanted);
    return list.data() + used;
  }
};

/** Runs of sequences in depth-first order, one path pack each: packers/chunk.ts. */
int32_t chunk(const Work &w, int32_t cap, int64_t limit, int64_t overhead, const Pace &pace, Ints &ends) {
  const int32_t n = w.size(), *shared = w.shared.data();
  int32_t runs = 0, b = 0, *end = ends.data();
  // Whether the limit ended a run.
  end[n] = 0;
  while (b < n) {
    int32_t e = std::min(n, b + cap);
    if (limit > 0) {
      for (int32_t i = b + 1; i < e; i++)
        if (w.work(pace, b, i + 1) > limit && int64_t{shared[i]} * 4 <= limit) {
          e = i;
          end[n] = 1;
          break;
        }
    }
    if (e < n) {
      int32_t low = std::max(b + 1, b + ((e - b + 1) >> 1)), best = e, least = shared[e];
      for (int32_t x = e - 1; x >= low; x--)
        if (shared[x] < least && (shared[x] + overhead) * (best - b) < (least + overhead) * (x - b)) {
          best = x;
          least = shared[x];
        }
      e = best;
    }
    end[runs++] = e;
    b = e;
  }
  return runs;
}

/** The maximal (token range, run of sequences) rectangles of a chunk, leaves first: packers/stream.ts. */
struct Stream {
  /** The path of sequences from `left` on is theirs down to `depth`. */
  struct Node {
    int32_t depth, left;
  };
  std::vector<Part> items;
  std::vector<Node> stack;
  int32_t size = 0;

  void reserve(int32_t cap) {
    items.resize(2 * static_cast<size_t>(cap) + 2);
    stack.resize(2 * static_cast<size_t>(cap) + 2);
  }

  void fill(const Work &w, int32_t b, int32_t e) {
    size = walk(w, b, e, [](Part *&out, int32_t row, int32_t from, int32_t to) {
      if (to > 0) *out++ = {from, to, row, 1};
    });
  }

  /** `tail(out, row, from, to)` for each sequence: the tokens that it alone reads, to 0 where there are none. How many there are then. */
  template <class Tail>
  int32_t walk(const Work &w, int32_t b, int32_t e, Tail tail) {
    const int32_t *lcp = w.lcp.data(), *order = w.order.data(), *lengths = w.batch->lengths;
    // `top`: the deepest node that is open, above one that never closes.
    Node *top = stack.data();
    Part *out = items.data();
    int32_t shared = 0, own = 0;
    *top = {0, 0};
    auto close = [&](int32_t common, int32_t at) {
      const Node node = *top--;
      *out++ = {std::max(top->depth, common), node.depth, node.left, at - node.left};
      return node.left;
    };
    for (int32_t i = b; i < e; i++) {
      int32_t at = i - b, left = at - own;
      while (top->depth > shared) left = close(shared, at);
      if (shared > top->depth) *++top = {shared, left};
      const int32_t length = lengths[order[i]], next = i + 1 < e ? lcp[i + 1] : 0;
      own = length > shared && length > next;
      if (own) tail(out, at, std::max(shared, next), length);
      else {
        tail(out, at, 0, 0);
        if (length > shared) *++top = {length, at};
      }
      shared = next;
    }
    while (top > stack.data()) close(0, e - b);
    return static_cast<int32_t>(out - items.data());
  }
};

/** Pieces that a pack of that work is cut into; but for few sequences, none unless it is an eighth above the limit. */
int64_t piece_count(int64_t work, int64_t limit, int64_t align, bool few) {
  if (limit == 0 || work <= limit + (few ? 0 : limit / 8)) return 1;
  return std::max<int64_t>(1, std::min(ceil_div(work, limit), quotient(work, std::max(align, smallest_piece))));
}

/** Tokens: a node boundary further off is not worth uneven pieces. */
constexpr int64_t nearest = 64;

/** Pieces of about equal work; `sink.add` for parts of entries, `sink.next` between pieces: packers/cut.ts. */
template <class Sink>
void equal_pieces(const Stream &s, Page page, Page align, int64_t work, int64_t k, const Pace &pace, Sink &sink) {
  // work * j / k for one j after another, without a division for each.
  const int64_t step = quotient(work, k), rest = work - step * k, slack = std::min(nearest, step / 8);
  int64_t target = step, part = rest, done = 0, j = 1;
  bool filled = false;
  for (int32_t i = s.size - 1; i >= 0; i--) {
    int32_t from = s.items[i].from, to = s.items[i].to, left = s.items[i].first, count = s.items[i].count;
    // Where the rest of the entry begins and where it ends, in whole pages: a cut is at one.
    const int32_t begin = page.up(from), end = page.up(to), tokens = end - begin;
    int32_t whole = begin;
    int64_t weight = 256 + pace.reread * (count - 1), size = tokens * weight / 256 + pace.pad(tokens);
    for (; j < k; j++) {
      if (target >= done + size - slack && target - done > slack) break;
      int32_t at = from;
      if (target - done > slack) at = align.down(begin + static_cast<int32_t>(weight == 256 ? target - done : quotient((target - done) * 256, weight)));
      // What fills up the last step: at the start of the next too.
      if (at >= to) break;
      if (at > from) {
        sink.add(from, at, left, count, at - whole);
        filled = true;
        from = whole = at;
      }
      if (filled) sink.next();
      filled = false;
      target += step;
      part += rest;
      if (part >= k) part -= k, target++;
    }
    sink.add(from, to, left, count, end - whole);
    filled = true;
    done += size;
  }
}

template <class Sink>
void fixed_pieces(const Stream &s, Page page, int64_t span, Sink &sink) {
  int32_t longest = 0;
  for (int32_t i = 0; i < s.size; i++) longest = std::max(longest, s.items[i].to);
  for (int64_t low = 0; low < longest; low += span) {
    if (low > 0) sink.next();
    int64_t high = low + span;
    for (int32_t i = s.size - 1; i >= 0; i--) {
      int32_t from = static_cast<int32_t>(std::max<int64_t>(low, s.items[i].from));
      int32_t to = static_cast<int32_t>(std::min<int64_t>(high, s.items[i].to));
      if (from < to) sink.add(from, to, s.items[i].first, s.items[i].count, page.up(to) - page.up(from));
    }
  }
}

/** One pack: local rows, shared parts, then private ones round-robin over 16-row groups: packers/piece.ts. */
struct PieceWriter {
  const Work *w = nullptr;
  PackList *out = nullptr;
  Ints local;
  // Of each row, in turn: the tokens that it alone reads, to 0 where there are none.
  std::vector<Part> tails;
  std::vector<unsigned char> touched;
  std::vector<Part> items, alone;
  // Where among the private parts each row's is, for packs of `turn_rows`.
  Ints place;
  int32_t turn_rows = 0, per_group = 1, chunk_begin = 0, chunk_size = 0, size = 0;
  Pace pace;
  int64_t load = 0, reads = 0, pad = 0;
  bool interleaved = true;

  void prepare(const Work &work, PackList &list, int32_t cap, const Pace &tile, bool in_turn) {
    w = &work;
    out = &list;
    pace = tile;
    interleaved = in_turn;
    per_group = std::max(1, 16 / work.group);
    turn_rows = 0;
    place.resize(cap);
    local.resize(cap);
    tails.resize(cap);
    touched.resize(cap);
    items.resize(2 * static_cast<size_t>(cap) + 2);
  }
  void begin(int32_t b, int32_t e) {
    chunk_begin = b;
    chunk_size = e - b;
    std::fill(touched.begin(), touched.begin() + chunk_size, 0);
    size = 0;
    load = reads = pad = 0;
  }
  void add(int32_t from, int32_t to, int32_t left, int32_t count, int32_t tokens) {
    items[size++] = {from, to, left, count};
    load += tokens;
    reads += int64_t{tokens} * count;
    pad += pace.pad(tokens);
    std::fill(touched.begin() + left, touched.begin() + left + count, 1);
  }
  /** A chunk in one piece: every sequence is a row, in order. */
  void whole(Stream &s, int32_t b, int32_t e) {
    const int32_t rows = e - b;
    take_turns(rows);
    if (flat(b, e)) return;
    Part *tail = tails.data();
    const int32_t *at = place.data();
    s.size = s.walk(*w, b, e, [tail, at](Part *&, int32_t row, int32_t from, int32_t to) { tail[at[row]] = {from, to, row, 1}; });
    std::copy(w->order.data() + b, w->order.data() + e, out->more_rows(rows));
    std::reverse(s.items.data(), s.items.data() + s.size);
    finish(s.items.data(), s.size, b, e, rows, w->load(b, e), w->read(b, e), pace.pad(b, e));
  }
  void next() {
    end();
    begin(chunk_begin, chunk_begin + chunk_size);
  }
  void add_empty() {
    for (int32_t i = 0; i < chunk_size; i++)
      if (w->batch->lengths[w->order[chunk_begin + i]] == 0) touched[i] = 1;
  }
  void end() {
    const int32_t *order = w->order.data() + chunk_begin;
    int32_t rows = 0, nodes = 0, *row_of = out->more_rows(chunk_size);
    for (int32_t i = 0; i < chunk_size; i++) {
      if (!touched[i]) continue;
      row_of[rows] = order[i];
      local[i] = rows++;
    }
    take_turns(rows);
    for (int32_t row = 0; row < rows; row++) tails[row] = {0, 0, 0, 1};
    for (int32_t k = 0; k < size; k++) {
      const Part &r = items[k];
      const int32_t row = local[r.first];
      if (r.count > 1) items[nodes++] = {r.from, r.to, row, r.count};
      else tails[place[row]] = {r.from, r.to, row, 1};
    }
    finish(items.data(), nodes, chunk_begin, chunk_begin + chunk_size, rows, load, reads, pad);
  }

 private:
  /** Rows round-robin over the row groups, of the tile's halves in turn; most packs have as many as the one before. */
  void take_turns(int32_t rows) {
    if (turn_rows == rows) return;
    turn_rows = rows;
    int32_t next = 0;
    const int32_t groups = (rows + per_group - 1) / per_group, half = (groups + 1) / 2;
    for (int32_t r = 0; r < per_group && r < rows; r++)
      for (int32_t i = 0; i < groups; i++) {
        const int32_t row = (i % 2 * half + i / 2) * per_group + r;
        if (row < rows) place[row] = next++;
      }
  }

  /** Tokens that other packs read too, or 0: the order must not depend on neighbours. */
  int32_t common_of(int32_t b, int32_t e) const { return interleaved ? std::max(w->shared[b], w->shared[e]) : 0; }

  /** As most packs are: all rows share the same tokens, and then each goes on alone. False where one is not like that. */
  bool flat(int32_t b, int32_t e) {
    const int32_t rows = e - b, *lcp = w->lcp.data() + b, *length = w->length.data() + b, depth = rows > 1 ? lcp[1] : 0;
    const int32_t common = common_of(b, e), begin = w->page.down(depth), end = w->page.up(depth);
    int32_t differs = 0, shortest = length[0], longest = length[0];
    for (int32_t i = 1; i < rows; i++) {
      differs |= lcp[i] ^ depth;
      shortest = std::min(shortest, length[i]);
      longest = std::max(longest, length[i]);
    }
    if (differs || shortest <= end || common > depth) return false;
    const int32_t *order = w->order.data() + b, *lengths = w->batch->lengths, *at = place.data();
    int32_t *const row_of = out->more_rows(rows);
    Part *const first = out->more_parts(rows + 3), *own = first;
    if (common > 0) *own++ = {0, common, 0, rows};
    Part *tail = own;
    if (common < depth) *tail++ = {common, depth, 0, rows};
    for (int32_t row = 0; row < rows; row++) {
      row_of[row] = order[row];
      tail[at[row]] = {depth, lengths[order[row]], row, 1};
    }
    const int32_t node = common < depth ? end - common : 0;
    out->packs.back() = {out->rows, out->part_count, 0, std::max(node, longest - begin), common, node + w->read(b, e) - int64_t{rows} * begin,
                         w->load(b, e), w->read(b, e), pace.pad(b, e)};
    out->close(rows, static_cast<int32_t>(own - first), static_cast<int32_t>(tail - own) + rows);
    return true;
  }

  /**
   * The pack of sequences b..e-1 is complete: parts of several rows, then those of one row each. Where other packs read the first tokens
   * of a part too, it is two. Which there are is hard to predict, so both are written.
   */
  void finish(const Part *nodes, int32_t count, int32_t b, int32_t e, int32_t rows, int64_t tokens, int64_t read, int64_t padding) {
    const int32_t common = common_of(b, e);
    const Page page = w->page;
    const int32_t most = count + rows;
    if (alone.size() <= static_cast<size_t>(most)) alone.resize(2 * static_cast<size_t>(most) + 1);
    Part *const first = out->more_parts(2 * most + 1), *shared = first, *own = alone.data();
    int64_t shared_tokens = 0, own_tokens = 0;
    int32_t longest = 0;
    auto split = [&](int32_t from, int32_t to, int32_t row, int32_t span) {
      const int32_t cut = std::min(to, std::max(from, common));
      *shared = {from, cut, row, span};
      *own = {cut, to, row, span};
      shared += from < cut;
      own += cut < to;
      shared_tokens += from < cut ? page.up(cut) - page.down(from) : 0;
      const int32_t left = cut < to ? page.up(to) - page.down(cut) : 0;
      own_tokens += left;
      longest = std::max(longest, left);
    };
    for (int32_t i = 0; i < count; i++) split(nodes[i].from, nodes[i].to, nodes[i].first, nodes[i].count);
    for (int32_t i = 0; i < rows; i++) split(tails[i].from, tails[i].to, tails[i].first, 1);
    std::copy(alone.data(), own, shared);
    Pack &pack = out->packs.back();
    pack.own_longest = longest;
    pack.shared_tokens = shared_tokens;
    pack.own_tokens = own_tokens;
    pack.load = tokens;
    pack.reads = read;
    pack.pad = padding;
    out->close(rows, static_cast<int32_t>(shared - first), static_cast<int32_t>(own - alone.data()));
  }
};

// ---------------------------------------------------------------- scores

/** Work of a launch's packs, and what the heaviest unit has to do: packers/score.ts. */
struct Tally {
  struct Run {
    int64_t time, units;
  };
  Ints loads, sorted;
  std::vector<Run> runs;
  int64_t exact_packs = 24, exact_jobs = 4;
  int64_t tokens = 0, work = 0, largest = 0;
  int32_t count = 0;

  /** Room for so many packs. */
  void reset(int64_t most) {
    count = 0;
    room(most);
    tokens = work = largest = 0;
  }
  void room(int64_t more) {
    if (loads.size() < static_cast<size_t>(count + more)) loads.resize(2 * static_cast<size_t>(count + more));
  }
  void add(int64_t load, int64_t size) {
    loads[count++] = static_cast<int32_t>(std::min(size, most_work));
    tokens += load;
    work += size;
    largest = std::max(largest, size);
  }
  int64_t packs() const { return count; }
  int64_t mean(int64_t units, int64_t kv_heads, int64_t overhead) const { return ceil_div((work + overhead * packs()) * kv_heads, units); }

  int64_t heaviest(int64_t units, int64_t kv_heads, int64_t overhead) {
    int64_t jobs = packs() * kv_heads;
    if (jobs <= units) return largest + overhead;
    return jobs <= exact_jobs * units && packs() <= exact_packs ? schedule(units, kv_heads, overhead) : bound(units, kv_heads, overhead);
  }

  int64_t schedule(int64_t units, int64_t kv_heads, int64_t overhead) {
    sorted.assign(loads.begin(), loads.begin() + count);
    std::sort(sorted.begin(), sorted.end());
    // Units that are free at the same time are one run; runs ascend.
    runs.assign(1, {0, units});
    for (int64_t p = packs() - 1; p >= 0; p--)
      for (int64_t jobs = kv_heads; jobs > 0;) {
        int64_t taken = std::min(jobs, runs[0].units), end = runs[0].time + sorted[p] + overhead;
        jobs -= taken;
        runs[0].units -= taken;
        size_t at = runs.size();
        while (at > 1 && runs[at - 1].time > end) at--;
        if (at > 1 && runs[at - 1].time == end) runs[at - 1].units += taken;
        else runs.insert(runs.begin() + static_cast<std::ptrdiff_t>(at), {end, taken});
        if (runs[0].units == 0) runs.erase(runs.begin());
      }
    return runs.back().time;
  }

  int64_t bound(int64_t units, int64_t kv_heads, int64_t overhead) {
    constexpr int buckets = 64;
    int64_t counts[buckets] = {}, sums[buckets] = {};
    int shift = 0;
    while (largest >> shift >= buckets) shift++;
    for (int32_t i = 0; i < count; i++) {
      int32_t load = loads[i], bucket = load >> shift;
      counts[bucket]++;
      sums[bucket] += load;
    }
    int64_t most = std::max(largest + overhead, mean(units, kv_heads, overhead));
    int64_t above = 0;
    int bucket = buckets - 1;
    for (int64_t k = 1;; k++) {
      int64_t rank = quotient(k * units, kv_heads);
      if (rank >= packs()) return most;
      while (above + counts[bucket] <= rank) above += counts[bucket--];
      most = std::max(most, (k + 1) * (quotient(sums[bucket], counts[bucket]) + overhead));
    }
  }
};

struct Costs {
  patc_costs c{};
  std::vector<patc_tile> tiles;
};

/** Blocks that most kernels have room for on a unit. */
constexpr int32_t blocks_per_unit = 2;

int64_t launch_time(const Costs &costs, const patc_tile &tile, int64_t kv_heads, int64_t unique, int64_t loaded, int64_t heaviest,
                    int64_t largest, int64_t jobs = 0) {
  int64_t tokens = unique * kv_heads, h = tokens * costs.c.memory_token;
  if (tokens <= costs.c.cached_tokens) h = h * costs.c.cached / 256;
  int64_t t = loaded * kv_heads * costs.c.cache_token;
  const int64_t alone = largest * tile.alone + tile.pack;
  int64_t m = std::max(heaviest * tile.token, alone);
  // The jobs of the last round read their share of memory at the pace of a block, however idle memory is.
  const int64_t rest = jobs % (int64_t{blocks_per_unit} * costs.c.units);
  if (rest > 0 && rest < jobs) h = std::max(h, quotient(h, jobs) * (jobs - rest) + alone);
  int64_t most = std::max({h, m, t}), least = std::min(h, m);
  int64_t visible = least * (most > 0 ? quotient(1024 * least, most) : 0) / 1024;
  return tile.start + (tile.w_max * most + tile.w_min * visible) / 256;
}

int64_t overhead_tokens(const patc_tile &t) { return quotient(t.pack, t.token); }

/** The smallest m for that many rows; of its shapes the one whose steps of the forest cost least: packers/tiles.ts. */
int32_t tile_for(const Costs &costs, int64_t rows, Work &w) {
  int32_t m = costs.tiles.back().m;
  for (const patc_tile &t : costs.tiles)
    if (t.m >= rows) {
      m = t.m;
      break;
    }
  int32_t best = none;
  int64_t least = 0;
  for (int32_t i = 0; i < static_cast<int32_t>(costs.tiles.size()); i++) {
    const patc_tile &t = costs.tiles[i];
    if (t.m != m) continue;
    int64_t cost = t.token * w.own_tokens(t);
    if (best != none && cost > least) continue;
    least = cost;
    best = i;
  }
  return best;
}

// ---------------------------------------------------------------- choice

struct Choice {
  int32_t cap;
  int64_t limit;
  bool early;
  int32_t tile;
  bool fixed;
  int64_t time;
};

/** Counts the parts of a chunk's sequences while its pieces go by. */
struct Partials {
  Tally *tally = nullptr;
  Ints parts, mark;
  int32_t piece = 0, sequences = 0;
  Pace pace;
  int64_t load = 0, reads = 0, pad = 0;

  void begin(int32_t rows, const Pace &tile) {
    sequences = rows;
    pace = tile;
    std::fill(parts.begin(), parts.begin() + rows, 0);
    load = reads = pad = 0;
    piece++;
  }
  void add(int32_t, int32_t, int32_t left, int32_t count, int32_t tokens) {
    load += tokens;
    reads += int64_t{tokens} * count;
    pad += pace.pad(tokens);
    for (int32_t i = left; i < left + count; i++)
      if (mark[i] != piece) {
        mark[i] = piece;
        parts[i]++;
      }
  }
  void next() {
    tally->add(load, work_of(load, reads, pace.reread) + pad);
    load = reads = pad = 0;
    piece++;
  }
  int64_t end() {
    next();
    int64_t rows = 0;
    for (int32_t i = 0; i < sequences; i++)
      if (parts[i] > 1) rows += parts[i];
    return rows;
  }
};

/** Packs uncut, and what cutting them could reach at best. `works`: where the packs' work is, for few sequences. */
struct Whole {
  int32_t cap, tile;
  bool fixed;
  int64_t tokens, work, largest, mean, ideal;
  int32_t packs;
  int64_t works[few_sequences];
};

/** A pack size in a tile, and less time than it can take. `at`: its place in the list. */
struct Kind {
  int32_t cap, tile;
  bool fixed;
  int64_t least;
  int32_t at;
};

/** What is not worth a search: a 64th. */
int64_t worth(int64_t time) { return time - time / 64; }

struct Packer {
  const Costs *costs = nullptr;
  Work *w = nullptr;
  Ints ends, caps;
  std::vector<Kind> kinds;
  std::vector<Whole> whole;
  Tally tally;
  Stream stream;
  Partials partials;
  PieceWriter writer;
  int32_t largest_cap = 1, longest = 0;
  struct {
    int32_t cap;
    int64_t limit;
    int32_t tile, runs;
  } chunked = {};
  // After `choose`: what no plan of these packs can be faster than.
  int64_t lowest = 0;

  void prepare(Work &work, const Costs &device) {
    w = &work;
    costs = &device;
    chunked = {};
    largest_cap = std::max(1, std::min(work.size(), device.tiles.back().m / work.group));
    longest = *std::max_element(work.length.begin(), work.length.end());
    ends.resize(static_cast<size_t>(work.size()) + 1);
    tally.exact_packs = few() ? 200 : 24;
    tally.exact_jobs = few() ? 64 : 4;
    stream.reserve(largest_cap);
    partials.tally = &tally;
    partials.parts.assign(largest_cap, 0);
    partials.mark.assign(largest_cap, -1);
    partials.piece = 0;
  }

  bool few() const { return w->size() <= few_sequences; }

  void list_caps() {
    int32_t n = w->size();
    caps.clear();
    for (auto t = costs->tiles.rbegin(); t != costs->tiles.rend(); ++t) {
      int32_t cap = std::min(n, t->m / w->group);
      if (caps.empty() || caps.back() != cap) caps.push_back(cap);
    }
    int32_t cap = caps.back();
    while (cap > 1 && ceil_div(n, cap) * w->batch->kv_heads < 8 * int64_t{costs->c.units}) caps.push_back(cap >>= 1);
  }

  /**
   * Less than packs of so many sequences can take in a tile: every unit as loaded as the mean, and either the longest sequence in one
   * piece or a merge. `loaded`: tokens that all packs load at least.
   */
  int64_t least(int32_t cap, const patc_tile &shape, int64_t loaded) {
    const int64_t kv_heads = w->batch->kv_heads, unique = w->unique(), packs = ceil_div(w->size(), cap);
    const int64_t work = w->own_tokens(shape) + loaded - unique + overhead_tokens(shape) * packs, mean = ceil_div(work * kv_heads, costs->c.units);
    return std::min(launch_time(*costs, shape, kv_heads, unique, loaded, mean, 0) + merge(),
                    launch_time(*costs, shape, kv_heads, unique, loaded, mean, longest));
  }

  /** What a plan with partials takes more than one without, at least. */
  int64_t merge() const { return costs->c.launch + 2 * int64_t{w->batch->q_heads} * costs->c.partial_row; }

  void list_kinds() {
    list_caps();
    kinds.clear();
    for (int32_t cap : caps) {
      int64_t packs = ceil_div(w->size(), cap);
      int32_t smallest = tile_for(*costs, int64_t{cap} * w->group, *w);
      // What all share, every pack loads.
      const int64_t loaded = w->unique() + (packs - 1) * w->common;
      auto add = [&](int32_t tile, bool fixed) {
        kinds.push_back({cap, tile, fixed, least(cap, costs->tiles[tile], loaded), static_cast<int32_t>(kinds.size())});
      };
      add(smallest, false);
      bool few = packs * w->batch->kv_heads <= costs->c.units;
      const patc_tile &first = costs->tiles[smallest];
      for (int32_t t = 0; t < static_cast<int32_t>(costs->tiles.size()); t++) {
        const patc_tile &tile = costs->tiles[t];
        const bool may = few || tile.variant > 0 || tile.w_max < first.w_max;
        if (t != smallest && tile.m >= int64_t{cap} * w->group && may) add(t, true);
      }
    }
    sort_kinds();
  }

  /** How many runs of sequences there are, whose ends are in `ends`: often those of the call before. */
  int32_t chunks(int32_t cap, int64_t limit, int32_t tile, const Pace &pace) {
    if (cap != chunked.cap || limit != chunked.limit || tile != chunked.tile) {
      chunked = {cap, limit, tile, 0};
      chunked.runs = chunk(*w, cap, limit, overhead_tokens(costs->tiles[tile]), pace, ends);
    }
    return chunked.runs;
  }

  Choice score(int32_t cap, int64_t limit, bool early, int32_t tile, bool fixed) {
    const patc_tile &shape = costs->tiles[tile];
    const Pace pace = w->pace(shape);
    int64_t overhead = overhead_tokens(shape), rows = 0;
    const int32_t runs = chunks(cap, early ? limit : 0, tile, pace);
    tally.reset(runs);
    for (int32_t r = 0, b = 0; r < runs; b = ends[r++]) {
      int64_t work = w->work(pace, b, ends[r]);
      int64_t k = limit == 0 ? 1 : piece_count(work, limit, w->align, few());
      if (k == 1) {
        tally.add(w->load(b, ends[r]), work);
        continue;
      }
      tally.room(runs - r + k);
      stream.fill(*w, b, ends[r]);
      partials.begin(ends[r] - b, pace);
      equal_pieces(stream, w->page, w->cut, work, k, pace, partials);
      rows += partials.end();
    }
    int64_t heaviest = tally.heaviest(costs->c.units, w->batch->kv_heads, overhead);
    int64_t time = launch_time(*costs, shape, w->batch->kv_heads, w->unique(), tally.tokens, heaviest, tally.largest, int64_t{tally.count} * w->batch->kv_heads);
    if (rows > 0) time += costs->c.launch + rows * w->batch->q_heads * costs->c.partial_row;
    return {cap, limit, early, tile, fixed, time};
  }

  /** Those of the lowest bound first, then as they were listed. */
  void sort_kinds() {
    std::sort(kinds.begin(), kinds.end(), [](const Kind &a, const Kind &b) { return a.least != b.least ? a.least < b.least : a.at < b.at; });
  }

  /** Scores packs uncut and notes them; false where another pack size had the same packs, or as good. */
  bool consider(const Kind &k, Choice &best) {
    const patc_tile &shape = costs->tiles[k.tile];
    int64_t kv_heads = w->batch->kv_heads;
    Choice uncut = score(k.cap, 0, true, k.tile, k.fixed);
    if (best.cap == 0 || uncut.time < best.time) best = uncut;
    auto same = [&](const Whole &c) { return c.tile == k.tile && c.tokens == tally.tokens && c.work == tally.work && c.packs == tally.count; };
    if (few() && std::any_of(whole.begin(), whole.end(), same)) return false;
    int64_t mean = std::max<int64_t>(1, tally.mean(costs->c.units, kv_heads, overhead_tokens(shape)));
    int64_t ideal = launch_time(*costs, shape, kv_heads, w->unique(), tally.tokens, mean, 0);
    whole.push_back({k.cap, k.tile, k.fixed, tally.tokens, tally.work, tally.largest, mean, ideal, tally.count, {}});
    if (few()) std::copy(tally.loads.begin(), tally.loads.begin() + tally.count, whole.back().works);
    return true;
  }

  /** `known`: the best plan of the same sequences in another order. */
  Choice choose(bool cuts, const Choice &known = {}) {
    Choice best = known;
    whole.clear();
    if (few() && cuts) return choose_few(best);
    list_kinds();
    for (const Kind &k : kinds) {
      // From here on no kind can be faster.
      if (!whole.empty() && k.least >= best.time) break;
      consider(k, best);
    }
    if (!cuts) return best;
    for (const Whole &c : whole)
      for (int64_t twelfths : limits) {
        // Even if cutting made every unit equal, it would gain too little.
        if (c.ideal >= worth(best.time)) break;
        const patc_tile &shape = costs->tiles[c.tile];
        int64_t overhead = overhead_tokens(shape), kv_heads = w->batch->kv_heads;
        int64_t limit = std::max<int64_t>(w->align, c.mean * twelfths / 12 - overhead);
        // Packs within the limit stay as they are.
        if (limit >= c.largest) continue;
        // Nor where that many packs are too much: none is more than an eighth above the limit. Nor with their partials.
        int64_t packs = ceil_div(8 * c.work, 9 * limit), mean = ceil_div((c.work + overhead * packs) * kv_heads, costs->c.units);
        const int64_t at_least = launch_time(*costs, shape, kv_heads, w->unique(), c.tokens, mean, 0);
        if (at_least >= worth(best.time) || at_least + partials_of(limit) >= worth(best.time)) continue;
        better(score(c.cap, limit, true, c.tile, c.fixed), best);
      }
    const Choice coarse = best;
    if (coarse.limit > 0)
      for (int64_t sixteenths : closer) {
        int64_t limit = std::max<int64_t>(w->align, coarse.limit * sixteenths / 16);
        better(score(coarse.cap, limit, true, coarse.tile, coarse.fixed), best);
      }
    return best;
  }

  /** What the merge takes at least under a limit: a sequence well above it is in more than one piece, whatever it is packed with. */
  int64_t partials_of(int64_t limit) const {
    const int64_t most = limit + limit / 4;
    int64_t rows = 0;
    for (int32_t length : w->length) rows += length > most ? 2 : 0;
    return rows > 0 ? costs->c.launch + rows * w->batch->q_heads * costs->c.partial_row : 0;
  }

  static void better(const Choice &other, Choice &best) {
    if (other.time < best.time) best = other;
  }

  /** packers/few.ts */
  Choice choose_few(Choice best) {
    const int64_t known = best.time;
    list_few();
    lowest = kinds[0].least;
    for (const Kind &k : kinds) {
      if (best.cap > 0 && k.least >= worth(best.time)) break;
      if (!consider(k, best)) continue;
      const Whole c = whole.back();
      if (c.ideal >= worth(best.time)) continue;
      parts(c, best);
      if (c.ideal + merge() >= worth(best.time)) continue;
      int64_t targets[std::size(fills) + std::size(more)], count = 0;
      auto target = [&](int64_t pieces) {
        if (std::find(targets, targets + count, pieces) != targets + count) return;
        targets[count++] = pieces;
        cut(c, pieces, best);
      };
      for (int64_t f : fills) target(costs->c.units * f / (12 * int64_t{w->batch->kv_heads}));
      for (int m : more) target(c.packs + m);
    }
    if (best.time == known || best.limit == 0) return best;
    const Whole found = *std::find_if(whole.begin(), whole.end(), [&](const Whole &c) { return c.cap == best.cap && c.tile == best.tile; });
    int64_t pieces = 0;
    for (int32_t p = 0; p < found.packs; p++) pieces += ceil_div(found.works[p], best.limit);
    for (int by : {-1, 1, -2, 2, 3}) cut(found, pieces + by, best);
    return best;
  }

  /** Every pack size in every tile that holds it, those of the lowest bound first. */
  void list_few() {
    kinds.clear();
    for (int32_t cap = largest_cap; cap > 0; cap--) {
      const int64_t loaded = fewest_tokens(cap);
      for (int32_t t = 0; t < static_cast<int32_t>(costs->tiles.size()); t++)
        if (costs->tiles[t].m >= cap * w->group) kinds.push_back({cap, t, true, least(cap, costs->tiles[t], loaded), static_cast<int32_t>(kinds.size())});
    }
    sort_kinds();
  }

  /** Tokens that packs of at most `cap` sequences load at least: where one ends, what its neighbours share is loaded again. */
  int64_t fewest_tokens(int32_t cap) const {
    const int32_t n = w->size();
    // Of packs up to a sequence where one begins; all of them, at the end.
    int64_t again[few_sequences + 1] = {};
    for (int32_t i = 1; i <= n; i++)
      again[i] = w->shared[i] + *std::min_element(again + std::max(0, i - cap), again + i);
    return w->unique() + again[n];
  }

  void cut(const Whole &c, int64_t pieces, Choice &best) {
    if (pieces <= c.packs) return;
    // Before the even limit is known: no piece is smaller than the mean one.
    int64_t smallest = ceil_div(c.work, pieces) - 1, overhead = overhead_tokens(costs->tiles[c.tile]);
    int64_t time = launch_time(*costs, costs->tiles[c.tile], w->batch->kv_heads, w->unique(), c.tokens, std::max(c.mean, smallest + overhead), smallest);
    if (time + costs->c.launch >= worth(best.time)) return;
    int64_t even = even_limit(c, pieces);
    if (at_least(c, even) >= worth(best.time)) return;
    int64_t limit = std::max<int64_t>(w->align, even);
    better(score(c.cap, limit, true, c.tile, true), best);
    // Where no pack ended early, packs that are only cut are the same.
    if (ends[w->size()]) better(score(c.cap, limit, false, c.tile, true), best);
  }

  /** Packs of that kind that end early, so many and as even as their order allows, none cut. */
  void parts(const Whole &c, Choice &best) {
    const patc_tile &shape = costs->tiles[c.tile];
    const int64_t unique = w->unique(), overhead = overhead_tokens(shape);
    auto slower = [&](int64_t limit) {
      return launch_time(*costs, shape, w->batch->kv_heads, unique, unique, limit + overhead, limit) >= best.time;
    };
    if (c.cap == 1 || slower(longest)) return;
    for (int m : {0, more[0], more[1], more[2]}) {
      const int64_t packs = c.packs + m, least = std::max<int64_t>(longest, ceil_div(unique, packs));
      if (packs > w->size() || slower(least)) continue;
      const int64_t limit = even_runs(c.cap, w->pace(shape), packs, least);
      if (!slower(limit)) better(score(c.cap, limit, true, c.tile, true), best);
    }
  }

  int64_t even_runs(int32_t cap, const Pace &pace, int64_t packs, int64_t least) const {
    int32_t n = w->size();
    auto load = [&](int32_t b, int32_t e) { return w->work(pace, b, e); };
    for (int64_t limit = least;;) {
      int64_t runs = 0, next = 0;
      for (int32_t b = 0; b < n; runs++) {
        int32_t e = b + 1;
        while (e < n && e - b < cap && load(b, e + 1) <= limit) e++;
        if (e < n && e - b < cap && (next == 0 || load(b, e + 1) < next)) next = load(b, e + 1);
        b = e;
      }
      if (runs <= packs || next == 0) return limit;
      limit = next;
    }
  }

  int64_t at_least(const Whole &c, int64_t limit) const {
    const patc_tile &shape = costs->tiles[c.tile];
    int64_t overhead = overhead_tokens(shape), kv_heads = w->batch->kv_heads, all = 0, partial = 0;
    for (int32_t p = 0; p < c.packs; p++) {
      int64_t parts = std::max<int64_t>(1, ceil_div(c.works[p], limit));
      all += parts;
      if (parts > 1) partial += parts;
    }
    int64_t mean = ceil_div((c.work + overhead * all) * kv_heads, costs->c.units), heaviest = std::max(mean, limit - 1 + overhead);
    int64_t time = launch_time(*costs, shape, kv_heads, w->unique(), c.tokens, heaviest, limit - 1);
    return time + costs->c.launch + partial * w->batch->q_heads * costs->c.partial_row;
  }

  static int64_t even_limit(const Whole &c, int64_t pieces) {
    for (int64_t limit = std::max<int64_t>(1, ceil_div(c.work, pieces));;) {
      int64_t count = 0, next = 0;
      for (int32_t p = 0; p < c.packs; p++) {
        int64_t parts = std::max<int64_t>(1, ceil_div(c.works[p], limit));
        count += parts;
        if (parts < 2) continue;
        int64_t other = ceil_div(c.works[p], parts - 1);
        if (next == 0 || other < next) next = other;
      }
      if (count <= pieces) return limit;
      limit = next;
    }
  }

  void write(const Choice &choice, int64_t span, PackList &out) {
    const patc_tile &shape = costs->tiles[choice.tile];
    const Pace pace = w->pace(shape);
    const int32_t runs = chunks(choice.cap, choice.early ? choice.limit : 0, choice.tile, pace);
    out.reset();
    writer.prepare(*w, out, largest_cap, pace, span == 0);
    for (int32_t r = 0, b = 0; r < runs; b = ends[r++]) {
      int64_t work = w->work(pace, b, ends[r]);
      int64_t k = span > 0 ? 0 : piece_count(work, choice.limit, w->align, few());
      if (k == 1) {
        writer.whole(stream, b, ends[r]);
        continue;
      }
      stream.fill(*w, b, ends[r]);
      writer.begin(b, ends[r]);
      writer.add_empty();
      if (span > 0) fixed_pieces(stream, w->page, span, writer);
      else equal_pieces(stream, w->page, w->cut, work, k, pace, writer);
      writer.end();
    }
  }
};

// ---------------------------------------------------------------- tiles

/**
 * A tile for every pack; shapes that do not pay for their launch join the next larger one, or all take the choice's: packers/tiles.ts.
 */
void assign_tiles(const PackList &list, const Costs &costs, Work &w, Tally &tally, const Choice &choice, Ints &tile_of) {
  int32_t tiles = static_cast<int32_t>(costs.tiles.size()), kv_heads = w.batch->kv_heads;
  std::vector<char> used(tiles, 0);
  int64_t total = 0;
  tally.exact_packs = 24;
  tally.exact_jobs = 4;
  if (choice.fixed) return tile_of.assign(list.count(), choice.tile);
  tile_of.resize(list.count());
  int32_t last_rows = none, last_tile = none;
  for (int32_t p = 0; p < list.count(); p++) {
    int32_t rows = list.rows_of(p) * w.group;
    if (rows != last_rows) last_tile = tile_for(costs, rows, w);
    last_rows = rows;
    tile_of[p] = last_tile;
    used[last_tile] = 1;
    total += list.packs[p].load;
  }
  auto time = [&](int32_t tile, int32_t first, int32_t second) {
    const patc_tile &shape = costs.tiles[tile];
    int64_t reread = reread_cost(shape, w.group);
    tally.reset(list.count());
    for (int32_t p = 0; p < list.count(); p++)
      if (tile_of[p] == first || tile_of[p] == second) tally.add(list.packs[p].load, list.packs[p].work(reread));
    int64_t share = total > 0 ? w.unique() * tally.tokens / total : 0;
    int64_t heaviest = tally.heaviest(costs.c.units, kv_heads, overhead_tokens(shape));
    return launch_time(costs, shape, kv_heads, share, tally.tokens, heaviest, tally.largest, int64_t{tally.count} * kv_heads);
  };
  for (int32_t t = 0; t < tiles; t++) {
    if (!used[t]) continue;
    int32_t larger = t + 1;
    while (larger < tiles && (!used[larger] || costs.tiles[larger].m < costs.tiles[t].m)) larger++;
    if (larger == tiles) break;
    if (time(t, t, t) + time(larger, larger, larger) + costs.c.launch < time(larger, t, larger)) continue;
    for (int32_t &tile : tile_of)
      if (tile == t) tile = larger;
  }
  // The choice was scored in one tile, but its pieces may have fewer rows than its packs, and smaller tiles for them.
  if (std::all_of(tile_of.begin(), tile_of.end(), [&](int32_t tile) { return tile == choice.tile; })) return;
  int64_t apart = -costs.c.launch;
  for (int32_t t = 0; t < tiles; t++)
    if (std::find(tile_of.begin(), tile_of.end(), t) != tile_of.end()) apart += time(t, t, t) + costs.c.launch;
  const Ints own = tile_of;
  std::fill(tile_of.begin(), tile_of.end(), choice.tile);
  if (time(choice.tile, choice.tile, choice.tile) > apart) tile_of = own;
}

// ---------------------------------------------------------------- entries

/** Tokens from..to - 1 of a page list that begins at `base`, for rows first..first + count - 1 of a pack. */
struct Entry {
  int32_t base, from, to, first, count;
};
static_assert(sizeof(Entry) == 5 * sizeof(int32_t), "tables hold entries one after another");

/** A page, or another length that tokens are rounded to, which is a power of two: without branches. */
struct Power {
  int32_t mask;
  explicit Power(const Page &page) : mask(page.size - 1) {}
  int32_t up(int32_t token) const { return (token + mask) & ~mask; }
  int32_t down(int32_t token) const { return token & ~mask; }
  int32_t half(int32_t tokens) const { return (tokens + mask) >> 1 & ~mask; }
};

/** What entries are cut at: pages, places where a part may be cut, and steps of a lane. */
template <class Size>
struct Sizes {
  Size page, unit, width;

  /** Tokens in whole pages. */
  int32_t pages(int32_t from, int32_t to) const { return page.up(to) - page.down(from); }
};

/** The order of a pack's parts: what other packs read too and what only it reads in turn: packers/order.ts. */
struct Interleaver {
  /** A pack's parts in their order: until the next call. */
  template <class Size>
  const Part *order(const PackList &list, int32_t p, const Sizes<Size> &sizes, int32_t &count) {
    const Pack &pack = list.packs[p];
    const Part *shared = list.parts.data() + pack.part_begin, *own = list.parts.data() + pack.own_begin;
    count = list.parts_of(p);
    const Part *own_end = shared + count;
    if (shared == own || own == own_end) return shared;
    // A turn cuts one part of each kind, and what is read alone and huge is cut once more.
    const size_t most = 3 * static_cast<size_t>(count) + 2 * turns;
    if (ordered.size() < most) {
      ordered.resize(2 * most);
      pieces.resize(2 * most);
    }
    const Sizes<Size> by = sizes;
    if (Part *cut = cut_own(pack, own, own_end, by)) own = pieces.data(), own_end = cut;
    const int64_t shared_tokens = pack.shared_tokens, own_tokens = pack.own_tokens;
    int64_t shared_done = 0, own_done = 0;
    Part *out = ordered.data(), next = *shared;
    for (int32_t t = 1; t <= turns; t++) {
      for (const int64_t target = shared_tokens * t / turns; shared_done < target;) {
        const int32_t to = std::min(next.to, by.unit.up(next.from + static_cast<int32_t>(std::min<int64_t>(target - shared_done, next.to - next.from))));
        *out++ = {next.from, to, next.first, next.count};
        shared_done += by.pages(next.from, to);
        next.from = to;
        if (to == next.to) next = *++shared;
      }
      for (const int64_t target = own_tokens * t; own < own_end && own_done * turns < target; own++) {
        *out++ = *own;
        own_done += by.pages(own->from, own->to);
      }
    }
    count = static_cast<int32_t>(out - ordered.data());
    return ordered.data();
  }

 private:
  static constexpr int32_t turns = 8;
  static constexpr int64_t most_tokens = 1 << 29;
  std::vector<Part> ordered, pieces;

  /** What only this pack reads, long parts in pieces, to `pieces`, and where they end; nothing where none is long. */
  template <class Size>
  Part *cut_own(const Pack &pack, const Part *own, const Part *end, const Sizes<Size> &by) {
    const int64_t most = by.unit.up(static_cast<int32_t>(std::min<int64_t>((pack.own_tokens + turns - 1) / turns, most_tokens)));
    auto longer = [most](int64_t tokens) { return tokens * 2 > most * 3; };
    if (!longer(pack.own_longest)) return nullptr;
    Part *out = pieces.data();
    for (; own < end; own++) {
      Part part = *own;
      while (longer(by.pages(part.from, part.to))) {
        const int32_t to = std::min(part.to, by.unit.up(part.from + static_cast<int32_t>(std::min<int64_t>(most, part.to - part.from))));
        *out++ = {part.from, to, part.first, part.count};
        part.from = to;
      }
      if (part.from < part.to) *out++ = part;
    }
    return out;
  }
};

/**
 * Entries of packs, in groups of two lanes where a tile has them: whole steps of a part in halves, and what is left of two together:
 * lanes.ts.
 */
struct EntryWriter {
  // Storage that only grows, and where each pack's entries begin in it.
  std::vector<Entry> entries;
  Ints begin;
  int32_t count = 0;

  void write(const PackList &list, const Costs &costs, const Ints &tile_of, const patc_batch &b) {
    begin.assign(1, 0);
    count = 0;
    int32_t multiple = 64;
    while (multiple % b.page != 0) multiple += 64;
    const Page page(b.page), unit(multiple);
    group = b.q_heads / b.kv_heads;
    for (int32_t p = 0; p < list.count();) {
      const int32_t first = p, tile = tile_of[p];
      while (p < list.count() && tile_of[p] == tile) p++;
      const patc_tile &shape = costs.tiles[tile];
      const Page width(lane_tokens(shape.n, b.page));
      choose(shape, width.size);
      if (page.shift >= 0 && width.shift >= 0) write(list, first, p, b, Sizes<Power>{Power(page), Power(unit), Power(width)});
      else write(list, first, p, b, Sizes<Page>{page, unit, width});
    }
  }

 private:
  /** Of a row: where its page list begins, and whose lanes its rests pair with. */
  struct Row {
    int32_t base, lane;
  };
  /** A lane that waits for another, of the rows of the tile that multiply together: a warp's, or a warpgroup's. */
  struct Waiting {
    Entry entry;
    bool waits;
  };
  Interleaver interleaver;
  std::vector<Row> rows;
  std::vector<Waiting> waiting;
  bool lanes = false;
  int32_t shift = 4, group = 1, groups = 0;

  void choose(const patc_tile &tile, int32_t width) {
    lanes = width < tile.n;
    shift = tile.variant == 2 ? 6 : 4;
    groups = (tile.m >> shift) + 1;
    waiting.resize(std::max(waiting.size(), static_cast<size_t>(groups)));
    if (rows.size() < static_cast<size_t>(tile.m)) rows.resize(static_cast<size_t>(tile.m));
    for (int32_t row = 0; row < tile.m; row++) rows[row].lane = row * group >> shift;
  }

  /** Packs first..end - 1, of one tile. */
  template <class Size>
  void write(const PackList &list, int32_t first, int32_t end, const patc_batch &b, const Sizes<Size> &sizes) {
    for (int32_t p = first; p < end; p++) {
      const int32_t *sequence = list.sequences.data() + list.packs[p].row_begin;
      for (int32_t row = 0, n = list.rows_of(p); row < n; row++) rows[row].base = b.table_begin[sequence[row]];
      int32_t size;
      const Part *parts = interleaver.order(list, p, sizes, size);
      // A part is at most two halves and a rest, and one lane may be empty.
      Entry *const at = PackList::room(entries, count, 3 * size + 1);
      count += static_cast<int32_t>((lanes ? flush(halve(parts, parts + size, at, sizes)) : copy(parts, parts + size, at)) - at);
      begin.push_back(count);
    }
  }

  /** As `*at = {...}`, but by words of 64 bits: compilers take five of 32, or move all to a vector. */
  static void put(Entry *at, int32_t base, int32_t from, int32_t to, int32_t first, int32_t count) {
    const int32_t one = 1, low = *reinterpret_cast<const char *>(&one) == 1 ? 0 : 32;
    auto two = [low](int32_t a, int32_t b) { return uint64_t{static_cast<uint32_t>(a)} << low | uint64_t{static_cast<uint32_t>(b)} << (32 - low); };
    const uint64_t head = two(base, from), tail = two(to, first);
    std::memcpy(&at->base, &head, sizeof head);
    std::memcpy(&at->to, &tail, sizeof tail);
    at->count = count;
  }

  Entry *copy(const Part *part, const Part *end, Entry *at) const {
    for (; part < end; part++) *at++ = {rows[part->first].base, part->from, part->to, part->first, part->count};
    return at;
  }

  template <class Size>
  Entry *halve(const Part *part, const Part *end, Entry *at, const Sizes<Size> &sizes) {
    const Size page = sizes.page, width = sizes.width;
    const Row *const row_of = rows.data();
    Waiting *const lane_of = waiting.data();
    for (; part < end; part++) {
      const Part e = *part;
      const Row row = row_of[e.first];
      const int32_t from = page.down(e.from), half = width.half(e.to - from);
      int32_t done = e.from;
      if (half > 0) {
        const int32_t middle = from + half;
        done = std::min(e.to, middle + half);
        put(at, row.base, e.from, middle, e.first, e.count);
        put(at + 1, row.base, middle, done, e.first, e.count);
        at += 2;
      }
      if (done == e.to) continue;
      Waiting &lane = lane_of[row.lane];
      Entry *rest = &lane.entry;
      if (lane.waits) {
        at[0] = lane.entry;
        rest = at + 1;
        at += 2;
      }
      put(rest, row.base, done, e.to, e.first, e.count);
      lane.waits = !lane.waits;
    }
    return at;
  }

  /** The end of a pack: lanes that still wait go together, the last one with an empty one. */
  Entry *flush(Entry *at) {
    bool odd = false;
    for (int32_t g = 0; g < groups; g++) {
      Waiting &lane = waiting[static_cast<size_t>(g)];
      if (!lane.waits) continue;
      *at++ = lane.entry;
      odd = !odd;
      lane.waits = false;
    }
    if (odd) at[0] = {0, 0, 0, at[-1].first, 0};
    return at + odd;
  }
};

// ---------------------------------------------------------------- tables

struct Tables {
  Ints packs, slots, merges, parts;
  std::vector<patc_shape> shapes;
  std::vector<uint64_t> keys;
  int32_t slot_count = 0;

  void build(const PackList &list, const Ints &entry_begin, const Costs &costs, const Ints &tile_of, int32_t sequences, int64_t group) {
    int32_t n = list.count(), done = 0;
    packs.assign(4 * (static_cast<size_t>(n) + 1), 0);
    shapes.clear();
    for (int32_t t = static_cast<int32_t>(costs.tiles.size()) - 1; t >= 0; t--) {
      keys.clear();
      int64_t reread = reread_cost(costs.tiles[t], group);
      // Longest first, then in the order they were made.
      for (int32_t p = 0; p < n; p++)
        if (tile_of[p] == t) {
          int64_t work = std::min<int64_t>(0x7fffffff, list.packs[p].work(reread));
          keys.push_back(static_cast<uint64_t>(0x7fffffff - work) << 21 | static_cast<uint64_t>(p));
        }
      if (keys.empty()) continue;
      std::sort(keys.begin(), keys.end());
      int32_t count = static_cast<int32_t>(keys.size());
      for (int32_t i = 0; i < count; i++) {
        int32_t p = static_cast<int32_t>(keys[i] & 0x1fffff), *row = &packs[4 * static_cast<size_t>(done + i)];
        row[0] = list.packs[p].row_begin;
        row[1] = list.rows_of(p);
        row[2] = entry_begin[p];
        row[3] = entry_begin[p + 1];
      }
      const patc_tile &tile = costs.tiles[t];
      shapes.push_back({tile.m, tile.n, tile.stages, tile.variant, done, count});
      done += count;
    }
    merges.clear();
    slot_count = 0;
    slots.assign(list.rows, -1);
    // Every sequence is in a pack, so more rows than sequences means partials.
    if (list.rows == sequences) return;
    parts.assign(sequences, 0);
    for (int32_t i = 0; i < list.rows; i++) parts[list.sequences[i]]++;
    for (int32_t s = 0; s < sequences; s++) {
      int32_t count = parts[s];
      parts[s] = count > 1 ? slot_count : -1;
      if (count <= 1) continue;
      merges.insert(merges.end(), {s, slot_count, count});
      slot_count += count;
    }
    for (int32_t i = 0; i < list.rows; i++) {
      int32_t s = list.sequences[i];
      if (parts[s] >= 0) slots[i] = parts[s]++;
    }
  }
};

}  // namespace

// ---------------------------------------------------------------- planner

struct patc_planner {
  Costs given, costs;
  int64_t span = 0, invariant_n = 0;
  int32_t group = 0, selected_page = 0;
  Forest forest;
  Work work[2];
  Packer packer;
  PackList list;
  Ints tile_of;
  EntryWriter entries;
  // Shared lengths before batch-invariant mode rounds them down.
  Ints exact;
  Tables tables;
  // For repair: what was planned, and between which lengths (exclusive, inclusive) each sequence's entries only end elsewhere.
  Ints lengths, begins, low, high, tail;
  int32_t page = 0, q_heads = 0, kv_heads = 0, streams = 0;
  const Work *last = nullptr;
  bool planned = false, bounded = false;

  /** Tiles that hold a KV head's rows; in batch-invariant mode with one n, and no lanes. */
  bool select_tiles(int32_t wanted, int32_t tokens) {
    if (wanted == group && (span == 0 || tokens == selected_page)) return !costs.tiles.empty();
    group = wanted;
    selected_page = tokens;
    costs.c = given.c;
    costs.tiles.clear();
    // Lanes would put neighbours into one step.
    for (const patc_tile &t : given.tiles)
      if (t.m >= wanted && (span == 0 || lane_tokens(t.n, tokens) == t.n)) costs.tiles.push_back(t);
    if (costs.tiles.empty() || span == 0) return !costs.tiles.empty();
    auto count = [&](int32_t n) { return std::count_if(costs.tiles.begin(), costs.tiles.end(), [n](const patc_tile &t) { return t.n == n; }); };
    int32_t best = costs.tiles[0].n;
    for (const patc_tile &t : costs.tiles)
      if (count(t.n) >= count(best)) best = t.n;
    costs.tiles.erase(std::remove_if(costs.tiles.begin(), costs.tiles.end(), [best](const patc_tile &t) { return t.n != best; }), costs.tiles.end());
    invariant_n = best;
    return true;
  }

  /** `grown`: the forest of the batch before is still that of this one. */
  void plan(const patc_batch &b, bool grown = false) {
    planned = false;
    int32_t n = b.sequences;
    int best = 0;
    Choice choice = {};
    list.reset();
    tile_of.clear();
    if (!grown) work[0].order.clear();
    if (n > 0) {
      if (!grown) {
        forest.build(b, nullptr, work[0].order, work[0].lcp);
        exact = work[0].lcp;
        if (span > 0)
          for (int32_t &shared : work[0].lcp) shared = static_cast<int32_t>(shared / invariant_n * invariant_n);
      }
      work[0].measure(b);
      packer.prepare(work[0], costs);
      choice = packer.choose(span == 0);
      if (n > 2 && n <= few_sequences && span == 0) best = try_orders(b, choice);
      if (best != 0 || packer.w != &work[0]) packer.prepare(work[best], costs);
      packer.write(choice, fixed_span(b.page), list);
    }
    if (n > 0) assign_tiles(list, costs, work[best], packer.tally, choice, tile_of);
    entries.write(list, costs, tile_of, b);
    tables.build(list, entries.begin, costs, tile_of, n, b.q_heads / b.kv_heads);
    if (best != 0) exact = work[best].lcp;
    remember(b, work[best]);
  }

  /** For a few sequences: siblings shortest first, longest first, and short and long in turn. Returns which work is best. */
  int try_orders(const patc_batch &b, Choice &choice) {
    int32_t n = b.sequences;
    int best = 0;
    Ints rising(n), sequence(n);
    for (int32_t i = 0; i < n; i++) rising[i] = i;
    const Page size(b.page);
    auto pages = [&](int32_t s) { return size.count(b.lengths[s]); };
    std::stable_sort(rising.begin(), rising.end(), [&](int32_t x, int32_t y) { return pages(x) < pages(y); });
    // Orders gain little where a plan is near what none can be faster than; and there is more to search for more sequences.
    const int64_t lowest = packer.lowest, near = n > 5 ? 8 : 32;
    for (int kind = 0; kind < 3; kind++) {
      if (lowest >= choice.time - choice.time / near) break;
      for (int32_t i = 0; i < n; i++)
        sequence[i] = kind == 0 ? rising[i] : kind == 1 ? rising[n - 1 - i] : rising[i % 2 == 0 ? i >> 1 : n - 1 - (i >> 1)];
      Work &other = work[1 - best];
      forest.build(b, sequence.data(), other.order, other.lcp);
      other.measure(b);
      packer.prepare(other, costs);
      Choice second = packer.choose(true, choice);
      if (second.time >= choice.time) continue;
      choice = second;
      best = 1 - best;
    }
    return best;
  }

  int64_t fixed_span(int32_t tokens) const {
    if (span == 0) return 0;
    int64_t a = invariant_n, b = tokens;
    while (b > 0) {
      int64_t rest = a % b;
      a = b;
      b = rest;
    }
    int64_t step = invariant_n / a * tokens;
    return ceil_div(span, step) * step;
  }

  void remember(const patc_batch &b, const Work &w) {
    lengths.assign(b.lengths, b.lengths + b.sequences);
    begins.assign(b.table_begin, b.table_begin + b.sequences);
    page = b.page;
    q_heads = b.q_heads;
    kv_heads = b.kv_heads;
    streams = b.sequences > 0 && w.unique() * b.kv_heads > given.c.cached_tokens;
    last = &w;
    bounded = false;
    planned = true;
  }

  /** Between which lengths nothing but the end of a sequence's tail changes; computed when a repair first asks. */
  void bound() {
    int32_t n = static_cast<int32_t>(lengths.size());
    find_tails(n);
    low.resize(n);
    high.resize(n);
    for (int32_t i = 0; i < n; i++) {
      int32_t s = last->order[i], length = lengths[s];
      int32_t shared = std::max(exact[i], i + 1 < n ? exact[i + 1] : 0);
      bool own = length > shared && tail[s] != none;
      high[s] = own ? last->length[i] : length;
      low[s] = own ? std::max(last->length[i] - page, shared) : length - 1;
    }
    bounded = true;
  }

  /** Where in `entries` the private tail of each sequence ends; none where it has no tail of its own. */
  void find_tails(int32_t n) {
    tail.assign(n, none);
    for (int32_t p = 0; p < list.count(); p++) {
      const int32_t *sequences = list.sequences.data() + list.packs[p].row_begin;
      for (int32_t e = entries.begin[p]; e < entries.begin[p + 1]; e++) {
        const Entry &entry = entries.entries[static_cast<size_t>(e)];
        if (entry.count == 1 && entry.to == lengths[sequences[entry.first]]) tail[sequences[entry.first]] = e;
      }
    }
  }

  bool same_shape(const patc_batch &b) const {
    return b.sequences == static_cast<int32_t>(lengths.size()) && b.page == page && b.q_heads == q_heads && b.kv_heads == kv_heads;
  }

  /**
   * Whether the forest stays as it is while sequences grow: they parted from every other before their ends. `inside`: all within their
   * last pages. A few sequences are planned in several orders, which depend on lengths.
   */
  bool keeps_forest(const patc_batch &b, bool &inside) const {
    const int32_t n = b.sequences;
    if (!same_shape(b) || n <= few_sequences) return false;
    const Page whole(page);
    bool keeps = true, within = true;
    for (int32_t i = 0; i < n; i++) {
      const int32_t s = last->order[i], before = lengths[s], now = b.lengths[s];
      const int32_t shared = std::max(exact[i], i + 1 < n ? exact[i + 1] : 0);
      keeps &= now == before || (now > before && before > shared);
      within &= now <= whole.up(before);
    }
    inside = within;
    return keeps;
  }

  /** Patches ends of entries; false where a sequence left its page or shares its end. */
  bool patch(const patc_batch &b) {
    int32_t n = b.sequences;
    if (!same_shape(b)) return false;
    if (!bounded) bound();
    if (!std::equal(begins.begin(), begins.end(), b.table_begin)) return false;
    bool inside = true;
    for (int32_t s = 0; s < n; s++) inside &= b.lengths[s] > low[s] && b.lengths[s] <= high[s];
    if (!inside) return false;
    Entry *list = entries.entries.data();
    for (int32_t s = 0; s < n; s++)
      if (tail[s] != none) list[tail[s]].to = b.lengths[s];
    return true;
  }

  int write_fixed(const patc_fixed &f) const {
    int32_t most = 0;
    for (const patc_shape &s : tables.shapes) most = std::max(most, s.pack_count);
    size_t merges = tables.merges.size();
    if (most > f.packs || list.rows > f.rows || entries.count > f.entries ||
        merges > 3 * static_cast<size_t>(f.merges) || tables.slot_count > f.slots)
      return PATC_NO_ROOM;
    std::fill(f.pack_table, f.pack_table + 4 * (given.tiles.size() * f.packs + 1), 0);
    for (const patc_shape &s : tables.shapes) {
      auto same = [&](const patc_tile &t) { return t.m == s.m && t.n == s.n && t.stages == s.stages && t.variant == s.variant; };
      std::ptrdiff_t region = std::find_if(given.tiles.begin(), given.tiles.end(), same) - given.tiles.begin();
      const int32_t *first = &tables.packs[4 * static_cast<size_t>(s.pack_base)];
      std::copy(first, first + 4 * static_cast<size_t>(s.pack_count), f.pack_table + 4 * region * f.packs);
    }
    auto copy = [](const Ints &from, size_t count, int32_t *to, size_t room, int32_t rest) {
      std::fill(std::copy(from.data(), from.data() + count, to), to + room, rest);
    };
    copy(list.sequences, list.rows, f.pack_sequences, f.rows, 0);
    copy(tables.slots, list.rows, f.pack_slots, f.rows, -1);
    int32_t *rest = f.entry_table;
    if (entries.count > 0) rest = std::copy(entry_ints(), entry_ints() + 5 * static_cast<size_t>(entries.count), f.entry_table);
    std::fill(rest, f.entry_table + 5 * static_cast<size_t>(f.entries), 0);
    copy(tables.merges, merges, f.merge_table, 3 * static_cast<size_t>(f.merges), 0);
    return PATC_OK;
  }

  const int32_t *entry_ints() const { return reinterpret_cast<const int32_t *>(entries.entries.data()); }

  void show(patc_tables *t) const {
    t->pack_count = list.count();
    t->row_count = list.rows;
    t->entry_count = entries.count;
    t->merge_count = static_cast<int32_t>(tables.merges.size() / 3);
    t->slot_count = tables.slot_count;
    t->shape_count = static_cast<int32_t>(tables.shapes.size());
    t->packs = tables.packs.data();
    t->pack_sequences = list.sequences.data();
    t->pack_slots = tables.slots.data();
    t->entries = entry_ints();
    t->merges = tables.merges.data();
    t->shapes = tables.shapes.data();
    t->streams = streams;
  }
};

namespace {

bool valid(const patc_batch *b) {
  if (!b || b->sequences < 0 || b->sequences > 1 << 20 || b->page < 1 || b->page > 1 << 20 || b->kv_heads < 1 || b->q_heads < b->kv_heads ||
      b->q_heads % b->kv_heads != 0)
    return false;
  if (b->sequences > 0 && (!b->lengths || !b->table_begin)) return false;
  // The top bit of any is set: a negative length, one above 2^30, or a negative place in `pages`.
  uint32_t bad = 0;
  for (int32_t s = 0; s < b->sequences; s++) {
    const uint32_t length = static_cast<uint32_t>(b->lengths[s]);
    bad |= length | ((1u << 30) - length) | static_cast<uint32_t>(b->table_begin[s]);
  }
  return bad >> 31 == 0;
}

}  // namespace

// ---------------------------------------------------------------- figures of a device

namespace {

struct Kernel {
  int32_t m, n, variant;
  double token_ns, alone_ns, warp_ns, pack_ns, start_ns, w_max, w_min;
};

// Written by scripts/host-figures.ts from cost.ts.
// figures: memory GB/s, L2 GB/s, L2 bytes, share of memory time within L2, launch ns, partial row ns; then the kernels, ascending by m, then n.
constexpr double h100_device[] = {3440, 11000, 45000000, 0.1, 2200, 0.8};
constexpr Kernel h100_kernels[] = {
    {16, 16, 0, 19, 56, 0, 800, 4150, 1, 0.376},
    {16, 32, 0, 4.8, 22, 0, 1151, 4150, 1.112, 0.376},
    {16, 64, 0, 14.2, 28.9, 0, 4057, 4150, 0.952, 0.376},
    {16, 128, 0, 28, 28, 0, 2428, 4150, 1, 0.376},
    {32, 16, 0, 16, 51, 0, 580, 4150, 1, 0.376},
    {32, 32, 0, 6.5, 21.1, 0.6, 339, 4150, 1.065, 0.376},
    {32, 32, 1, 7.2, 15, 0.5, 1087, 4000, 1.04, 0.376},
    {32, 64, 0, 9.5, 21, 0.2, 3170, 4150, 1.046, 0.376},
    {32, 128, 0, 21, 21, 0, 1355, 4150, 1, 0.376},
    {64, 16, 0, 25, 50, 0, 300, 4150, 1, 0.376},
    {64, 32, 0, 8.6, 13.1, 3.8, 4670, 4150, 0.94, 0.376},
    {64, 32, 1, 6.3, 15.2, 1.4, 2282, 4000, 1.016, 0.376},
    {64, 32, 2, 8.9, 17, 2.2, 300, 4000, 1.04, 0.376},
    {64, 64, 0, 9.6, 18, 1.4, 4401, 4150, 1.037, 0.376},
    {64, 64, 2, 8.2, 13.2, 0.2, 3341, 4000, 1.105, 0.376},
    {64, 128, 0, 23, 24, 0, 626, 4150, 1, 0.376},
    {128, 16, 0, 33, 33, 2.7, 300, 4150, 1, 0.376},
    {128, 32, 0, 14.6, 15, 2.9, 6685, 4150, 1.001, 0.376},
    {128, 32, 2, 12.6, 13.9, 1.6, 5120, 4000, 1.026, 0.376},
    {128, 64, 0, 14.6, 14.8, 2.8, 8740, 4150, 0.966, 0.376},
    {128, 64, 2, 13.1, 13.7, 1.1, 6419, 4000, 1.005, 0.376},
    {128, 128, 0, 33, 33, 2.7, 1500, 4150, 1, 0.376},
};
// end of figures

}  // namespace

extern "C" {

patc_planner *patc_planner_create(const patc_costs *costs, int32_t invariant_span) {
  if (!costs || costs->units < 1 || costs->tile_count < 0 || invariant_span < 0) return nullptr;
  try {
    patc_planner *planner = new patc_planner;
    planner->given.c = *costs;
    planner->given.c.tiles = nullptr;
    planner->given.tiles.assign(costs->tiles, costs->tiles + costs->tile_count);
    planner->span = invariant_span;
    return planner;
  } catch (...) {
    return nullptr;
  }
}

void patc_planner_destroy(patc_planner *planner) { delete planner; }

int patc_plan(patc_planner *planner, const patc_batch *batch, patc_tables *tables) {
  if (!planner || !tables || !valid(batch)) return PATC_BAD_BATCH;
  try {
    if (!planner->select_tiles(batch->q_heads / batch->kv_heads, batch->page)) return PATC_NO_TILE;
    planner->plan(*batch);
    planner->show(tables);
    return PATC_OK;
  } catch (...) {
    planner->planned = false;
    return PATC_NO_MEMORY;
  }
}

int patc_repair(patc_planner *planner, const patc_batch *batch, patc_tables *tables) {
  if (!planner || !tables || !batch) return PATC_BAD_BATCH;
  if (!planner->planned) return PATC_NO_PLAN;
  if (!planner->patch(*batch)) return patc_plan(planner, batch, tables);
  planner->show(tables);
  return PATC_REPAIRED;
}

int patc_grow(patc_planner *planner, const patc_batch *batch, patc_tables *tables) {
  if (!planner || !tables || !valid(batch)) return PATC_BAD_BATCH;
  if (!planner->planned) return PATC_NO_PLAN;
  bool inside = false;
  if (!planner->keeps_forest(*batch, inside)) return patc_plan(planner, batch, tables);
  try {
    const bool patched = inside && planner->patch(*batch);
    if (!patched) planner->plan(*batch, true);
    planner->show(tables);
    return patched ? PATC_REPAIRED : PATC_GROWN;
  } catch (...) {
    planner->planned = false;
    return PATC_NO_MEMORY;
  }
}

int patc_write_fixed(const patc_planner *planner, const patc_fixed *fixed) {
  if (!planner || !fixed) return PATC_BAD_BATCH;
  return planner->planned ? planner->write_fixed(*fixed) : PATC_NO_PLAN;
}

void patc_costs_h100(int32_t units, int32_t head_dim, int32_t element_bytes, const int32_t (*shapes)[4], int32_t tile_count,
                     patc_tile *tiles, patc_costs *costs) {
  auto round = [](double x) { return static_cast<int64_t>(std::floor(x + 0.5)); };
  auto ps = [&](double ns) { return std::max<int64_t>(1, round(ns * 1000)); };
  double bytes = 2.0 * head_dim * element_bytes;
  for (int32_t i = 0; i < tile_count; i++) {
    auto own = [&](const Kernel &c) { return c.variant == shapes[i][3]; };
    bool any = std::any_of(std::begin(h100_kernels), std::end(h100_kernels), own);
    const Kernel *k = nullptr;
    for (const Kernel &c : h100_kernels) {
      if (any && !own(c)) continue;
      k = &c;  // the last of them where none is large enough
      if (c.m >= shapes[i][0] && c.n >= shapes[i][1]) break;
    }
    double scale = std::max(1.0, static_cast<double>(shapes[i][0]) / k->m);
    // With two short stages memory is waited for.
    const bool shallow = shapes[i][3] == 0 && shapes[i][2] == 2 && shapes[i][1] < 64;
    int64_t token = std::max<int64_t>(1, round(k->token_ns * 1000 * scale * bytes / 512));
    int64_t alone = std::max(token, round(k->alone_ns * 1000 * scale * bytes / 512));
    tiles[i] = {shapes[i][0], shapes[i][1], shapes[i][2], shapes[i][3], token, alone, round(256 * k->warp_ns / k->token_ns), round(k->pack_ns * 1000), round(k->start_ns * 1000),
                round(k->w_max * (shallow ? 1.15 : 1.0) * 256), round(k->w_min * 256)};
  }
  const double *d = h100_device;
  *costs = {units, tile_count, tiles, ps(bytes / d[0]), ps(bytes / d[1]), ps(d[5] * head_dim / 128), ps(d[4]),
            static_cast<int64_t>(std::floor(d[2] / bytes)), round(d[3] * 256)};
}

const char *patc_message(int result) {
  switch (result) {
    case PATC_OK: return "planned";
    case PATC_REPAIRED: return "repaired";
    case PATC_GROWN: return "planned anew, with the forest as it was";
    case PATC_BAD_BATCH: return "the batch is malformed: sizes, heads that do not divide, or a length outside 0..2^30";
    case PATC_NO_TILE: return "no tile shape holds the query heads of one KV head (batch-invariant: none with one entry a step)";
    case PATC_NO_MEMORY: return "out of memory";
    case PATC_NO_PLAN: return "nothing was planned yet";
    case PATC_NO_ROOM: return "the plan does not fit the fixed capacity";
    default: return "unknown result";
  }
}

}  // extern "C"
