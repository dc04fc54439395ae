// A decode step's arguments, which tokens a split of the context has, and where the cache holds them.
#pragma once

#include "../../cuda/attention.cuh"

// q and out [batch, heads_q, seq_q, dim]. k and v [batch, heads_kv, seq_k, dim], or, where there is a
// table [batch, seq_k / page], pages [pages, heads_kv, page, dim]. Row r of key/value head h is new token
// r % seq_q of query head h * group + r / seq_q: the rows that share a head lie one after another.
struct Decode {
    const uint16_t *q, *k, *v;
    uint16_t *out;
    float *partial;      // [splits, batch, heads_q, seq_q, dim]; not used by one split
    float *lse;          // [splits, batch, heads_q, seq_q], to base 2
    const int *lengths;  // [batch]: tokens of each sequence, the new ones included
    const int *table;    // or null
    int batch, heads_q, heads_kv, seq_q, seq_k, dim;
    int page, left, right, splits, bf16;
    float scale;
};

// What split `split` of `splits` has of `keys`: whole units of `unit` tokens, the same number each.
__host__ __device__ inline Keys keys_of_split(Keys keys, int split, int splits, int unit) {
    int units = divide_up(greater(keys.end - keys.begin, 0), unit);
    int step = divide_up(units, splits) * unit;
    int begin = keys.begin + split * step;
    return {begin, lesser(begin + step, keys.end)};
}

// Of sequence b's token j for head h: its row in the cache, which is rows of `dim` elements.
__host__ __device__ inline int64_t row_of_token(const Decode &p, int b, int h, int j) {
    if (!p.table) return (int64_t(b) * p.heads_kv + h) * p.seq_k + j;
    int page = p.table[int64_t(b) * (p.seq_k / p.page) + j / p.page];
    return (int64_t(page) * p.heads_kv + h) * p.page + j % p.page;
}

// The fewest splits that keep nearly as many of the GPU's `places` for blocks busy as any number does,
// where one split has `blocks` blocks and the longest context `units` units.
inline int best_splits(int blocks, int places, int units) {
    constexpr int MOST = 128;
    constexpr float NEARLY = 0.9f;
    auto busy = [&](int splits) {
        int used = blocks * splits;
        return float(used) / (divide_up(used, places) * places);
    };
    int most = greater(1, lesser(units, MOST));
    float best = 0;
    for (int splits = 1; splits <= most; splits++) best = fmaxf(best, busy(splits));
    int splits = 1;
    while (busy(splits) < NEARLY * best) splits++;
    return splits;
}
