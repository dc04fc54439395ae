// What every attention kernel here is given, and which keys a row sees. Plain C++: the host compiles
// it too, to launch the kernels and to test these very functions.
#pragma once

#ifdef HOST_MODEL  // the tests run these kernels on a CPU (tests/kernels/simt)
#include HOST_MODEL
#else
#include <cuda_runtime.h>
#endif
#include <stdint.h>

constexpr float LOG2E = 1.4426950408889634f;  // exp(x) = exp2(x * LOG2E), which the hardware has

// q [batch, heads_q, seq_q, dim], k and v [batch, heads_kv, seq_k, dim], out as q; contiguous.
struct Attention {
    const uint16_t *q, *k, *v;
    uint16_t *out;
    int batch, heads_q, heads_kv, seq_q, seq_k, dim;
    int left, right;  // keys that a row sees beside the one at its own position
    int bf16;         // elements are bf16, else fp16
    float scale;      // factor on the scores
};

// Keys begin ... end - 1; none where end <= begin.
struct Keys {
    int begin, end;
};

__host__ __device__ inline int lesser(int a, int b) { return a < b ? a : b; }
__host__ __device__ inline int greater(int a, int b) { return a > b ? a : b; }
__host__ __device__ inline int divide_up(int a, int b) { return (a + b - 1) / b; }

// Row i stands at i + seq_k - seq_q on the keys' axis (bottom-right aligned).
__host__ __device__ inline Keys seen_by_row(int i, int seq_q, int seq_k, int left, int right) {
    int at = i + seq_k - seq_q;
    return {greater(at - left, 0), lesser(at + right, seq_k - 1) + 1};
}

// What some row of first ... last sees: their intervals move right with the row.
__host__ __device__ inline Keys seen_by_any(Keys first, Keys last) { return {first.begin, last.end}; }

// What all of them see.
__host__ __device__ inline Keys seen_by_all(Keys first, Keys last) { return {last.begin, first.end}; }

// Elements before head `head` of sequence `batch` in a tensor [batch, heads, rows, dim].
__host__ __device__ inline int64_t head_offset(int batch, int head, int heads, int rows, int dim) {
    return (int64_t(batch) * heads + head) * rows * dim;
}
