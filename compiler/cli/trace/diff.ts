/** Line diff by longest common subsequence, for texts of some hundred lines. */
export type Row =
  | { readonly kind: 'same' | 'changed'; readonly left: number; readonly right: number }
  | { readonly kind: 'removed'; readonly left: number }
  | { readonly kind: 'added'; readonly right: number };

/**
 * The rows of two texts side by side, by line index. Lines are equal when their keys are; a run of removed lines stands
 * beside the run of added lines that replaces it, pair by pair.
 */
export function diffLines(left: readonly string[], right: readonly string[]): Row[] {
  let start = 0;
  while (start < left.length && start < right.length && left[start] === right[start]) start++;
  let [a, b] = [left.length, right.length];
  while (a > start && b > start && left[a - 1] === right[b - 1]) {
    a--;
    b--;
  }
  const rows: Row[] = [];
  for (let i = 0; i < start; i++) rows.push({ kind: 'same', left: i, right: i });
  rows.push(...middle(left, right, start, a, b));
  for (let i = 0; a + i < left.length; i++) rows.push({ kind: 'same', left: a + i, right: b + i });
  return rows;
}

/** Lines [start, a) against [start, b), which share no first and no last line. */
function middle(
  left: readonly string[],
  right: readonly string[],
  start: number,
  a: number,
  b: number,
): Row[] {
  const [n, m] = [a - start, b - start];
  // longest[i * (m + 1) + j]: of left from i, right from j.
  const longest = new Int32Array((n + 1) * (m + 1));
  const at = (i: number, j: number): number => i * (m + 1) + j;
  for (let i = n - 1; i >= 0; i--)
    for (let j = m - 1; j >= 0; j--)
      longest[at(i, j)] =
        left[start + i] === right[start + j]
          ? longest[at(i + 1, j + 1)]! + 1
          : Math.max(longest[at(i + 1, j)]!, longest[at(i, j + 1)]!);
  const rows: Row[] = [];
  let removed: number[] = [];
  let added: number[] = [];
  const flush = (): void => {
    const pairs = Math.min(removed.length, added.length);
    for (let p = 0; p < pairs; p++) rows.push({ kind: 'changed', left: removed[p]!, right: added[p]! });
    for (const l of removed.slice(pairs)) rows.push({ kind: 'removed', left: l });
    for (const r of added.slice(pairs)) rows.push({ kind: 'added', right: r });
    [removed, added] = [[], []];
  };
  for (let i = 0, j = 0; i < n || j < m;) {
    if (i < n && j < m && left[start + i] === right[start + j]) {
      flush();
      rows.push({ kind: 'same', left: start + i++, right: start + j++ });
    } else if (j >= m || (i < n && longest[at(i + 1, j)]! >= longest[at(i, j + 1)]!))
      removed.push(start + i++);
    else added.push(start + j++);
  }
  flush();
  return rows;
}
