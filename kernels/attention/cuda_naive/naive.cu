// Attention as an article would write it: one thread computes one row of the output, alone.
//
//     Vaswani et al. 2017 (arXiv 1706.03762), section 3.2.1; softmax with a running maximum, so that
//     no scores are kept: Milakov and Gimelshein 2018 (arXiv 1805.02867), algorithm 3
//
//             keys 0 1 2 3 4 5 6 7 ...          a thread walks its row's keys from left to right
//     row 0   [x]                               (causal: the rows of one warp take as many steps as
//     row 1   [x x]                             its longest one, the others wait)
//     row 2   [x x x]
//
// The data's way: each thread reads its query from global memory again for every key, in the hope
// that the first-level cache still has it; all threads of a warp want the same key at once, which is
// one broadcast. Nothing is shared by intent, and no tensor core is used: two loads and two fp32
// multiply-adds an element are what limits it.
// Resources: the row of the output lives in registers (head dim fp32 each); no shared memory.
//
// Not yet run on a GPU; the tests run this very code on a CPU (tests/kernels/simt).
#include "../../cuda/element.cuh"
#include "../../cuda/launch.cuh"

namespace {

constexpr int THREADS = 128;
constexpr int CHUNK = 8;  // elements of a 16-byte load

struct Row {  // one 16-byte load
    uint32_t pairs[CHUNK / 2];
};

__device__ __forceinline__ Row load(const uint16_t *from) {
    uint4 four = *reinterpret_cast<const uint4 *>(from);
    return {{four.x, four.y, four.z, four.w}};
}

template <typename Element, int DIM>
__device__ __forceinline__ float dot(const uint16_t *a, const uint16_t *b) {
    float sum = 0;
    for (int d = 0; d < DIM; d += CHUNK) {
        Row x = load(a + d), y = load(b + d);
        for (int i = 0; i < CHUNK / 2; i++) {
            sum += low_of<Element>(x.pairs[i]) * low_of<Element>(y.pairs[i]);
            sum += high_of<Element>(x.pairs[i]) * high_of<Element>(y.pairs[i]);
        }
    }
    return sum;
}

// out = out * shrink + weight * v
template <typename Element, int DIM>
__device__ __forceinline__ void add(float (&out)[DIM], float shrink, float weight, const uint16_t *v) {
#pragma unroll
    for (int d = 0; d < DIM; d += CHUNK) {
        Row x = load(v + d);
#pragma unroll
        for (int i = 0; i < CHUNK / 2; i++) {
            out[d + 2 * i] = out[d + 2 * i] * shrink + weight * low_of<Element>(x.pairs[i]);
            out[d + 2 * i + 1] = out[d + 2 * i + 1] * shrink + weight * high_of<Element>(x.pairs[i]);
        }
    }
}

template <typename Element, int DIM>
__device__ __forceinline__ void store(uint16_t *to, const float (&out)[DIM], float factor) {
#pragma unroll
    for (int d = 0; d < DIM; d += 2)
        *reinterpret_cast<uint32_t *>(to + d) = Element::pack(out[d] * factor, out[d + 1] * factor);
}

// Grid: (rows / THREADS, heads_q, batch).
template <typename Element, int DIM>
__global__ void __launch_bounds__(THREADS) naive(const Attention p) {
    int i = blockIdx.x * THREADS + threadIdx.x, head = blockIdx.y, b = blockIdx.z;
    if (i >= p.seq_q) return;
    int head_kv = head / (p.heads_q / p.heads_kv);
    int64_t row = head_offset(b, head, p.heads_q, p.seq_q, DIM) + int64_t(i) * DIM;
    int64_t cached = head_offset(b, head_kv, p.heads_kv, p.seq_k, DIM);

    float out[DIM] = {}, top = -INFINITY, total = 0;
    Keys keys = seen_by_row(i, p.seq_q, p.seq_k, p.left, p.right);
    for (int j = keys.begin; j < keys.end; j++) {
        float score = dot<Element, DIM>(p.q + row, p.k + cached + int64_t(j) * DIM) * p.scale * LOG2E;
        float higher = fmaxf(top, score);
        float shrink = exp2f(top - higher), weight = exp2f(score - higher);
        total = total * shrink + weight;
        add<Element, DIM>(out, shrink, weight, p.v + cached + int64_t(j) * DIM);
        top = higher;
    }
    store<Element, DIM>(p.out + row, out, total > 0 ? 1 / total : 0);
}

template <typename Element, int DIM>
int run(const Attention &p, void *stream) {
    dim3 grid(divide_up(p.seq_q, THREADS), p.heads_q, p.batch);
    return launch(naive<Element, DIM>, grid, THREADS, 0, stream, p);
}

}  // namespace

LAUNCHER naive_forward(const Attention *p, void *stream) {
    if (p->dim == 64) return p->bf16 ? run<Bf16, 64>(*p, stream) : run<Fp16, 64>(*p, stream);
    if (p->dim == 128) return p->bf16 ? run<Bf16, 128>(*p, stream) : run<Fp16, 128>(*p, stream);
    return cudaErrorInvalidValue;
}

LAUNCHER argument_bytes() { return sizeof(Attention); }

// Dynamic shared memory of a block.
LAUNCHER shared_bytes(int) { return 0; }
