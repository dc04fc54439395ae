// What a block of the Hopper kernel has: its threads, its shared memory, its barriers, its tiles.
#pragma once

#include "../../cuda/hopper.cuh"

namespace {

constexpr int WARP = 32, GROUP_THREADS = 128, CONSUMERS = 2;
constexpr int THREADS = (1 + CONSUMERS) * GROUP_THREADS, CONSUMER_WARPS = CONSUMERS * 4;
constexpr int GROUP_ROWS = 64, ROWS = CONSUMERS * GROUP_ROWS, KEYS = 128, STAGES = 2;
constexpr int PRODUCER_REGISTERS = 24, CONSUMER_REGISTERS = 240;
constexpr int FIRST_TURN = 1, FIRST_OWN = 3;  // named barriers, of each consumer one; 0 is the block's

struct Maps {  // how TMA sees the tensors
    TensorMap q, k, v;
};

template <int DIM>
struct Tile {
    static constexpr int COLUMNS = KEYS / 8, OUT = DIM / 8;
    static constexpr int Q_ELEMENTS = GROUP_ROWS * DIM, STAGE_ELEMENTS = KEYS * DIM;
    static constexpr int Q_BYTES = ROWS * DIM * 2, STAGE_BYTES = STAGE_ELEMENTS * 2;
    static constexpr int BARRIERS_AT = Q_BYTES + 2 * STAGES * STAGE_BYTES;
    static constexpr int BYTES = BARRIERS_AT + 16 * 8;
};

// Shared memory: q of each consumer, the stages of k, those of v, then the barriers.
template <int DIM>
struct Shared {
    using T = Tile<DIM>;
    unsigned char *base = shared_memory();
    __device__ __forceinline__ uint16_t *q(int consumer) {
        return reinterpret_cast<uint16_t *>(base) + consumer * T::Q_ELEMENTS;
    }
    __device__ __forceinline__ uint16_t *k(int stage) {
        return q(CONSUMERS) + stage * T::STAGE_ELEMENTS;
    }
    __device__ __forceinline__ uint16_t *v(int stage) { return k(STAGES + stage); }
    __device__ __forceinline__ uint64_t *barrier(int i) {
        return reinterpret_cast<uint64_t *>(base + T::BARRIERS_AT) + i;
    }
    __device__ __forceinline__ uint64_t *q_full() { return barrier(0); }
    __device__ __forceinline__ uint64_t *k_full(int stage) { return barrier(1 + stage); }
    __device__ __forceinline__ uint64_t *v_full(int stage) { return barrier(1 + STAGES + stage); }
    __device__ __forceinline__ uint64_t *k_empty(int stage) { return barrier(1 + 2 * STAGES + stage); }
    __device__ __forceinline__ uint64_t *v_empty(int stage) { return barrier(1 + 3 * STAGES + stage); }
};

// The n-th tile of a stream: its stage, and the parity of the stage's phase.
struct Turn {
    int stage, parity;
};
__device__ __forceinline__ Turn turn(int n) { return {n % STAGES, n / STAGES & 1}; }

// Which tiles of keys the block walks, and where its rows are.
struct Place {
    int row, head, head_kv, b, begin, end;
};

__device__ __forceinline__ Place place_of_block(const Attention &p) {
    // the last rows of a causal mask see most: they come first
    int row = (gridDim.x - 1 - blockIdx.x) * ROWS, head = blockIdx.y;
    Keys first = seen_by_row(row, p.seq_q, p.seq_k, p.left, p.right);
    Keys last = seen_by_row(lesser(row + ROWS, p.seq_q) - 1, p.seq_q, p.seq_k, p.left, p.right);
    Keys any = seen_by_any(first, last);
    int begin = any.begin / KEYS, end = divide_up(greater(any.end, 0), KEYS);
    return {row, head, head / (p.heads_q / p.heads_kv), int(blockIdx.z), begin, greater(begin, end)};
}

template <int DIM>
__device__ __forceinline__ void begin_barriers(Shared<DIM> &shared) {
    barrier_begin(shared.q_full(), 1);
    for (int stage = 0; stage < STAGES; stage++) {
        barrier_begin(shared.k_full(stage), 1);
        barrier_begin(shared.v_full(stage), 1);
        barrier_begin(shared.k_empty(stage), CONSUMER_WARPS);
        barrier_begin(shared.v_empty(stage), CONSUMER_WARPS);
    }
    barriers_begun();
}

}  // namespace
