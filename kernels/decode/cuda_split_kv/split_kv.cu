// Attention of a few new tokens over a long cache, contiguous or paged: split along the context.
//
//     T. Dao et al., "Flash-Decoding", 2023; pages: Kwon et al. 2023 (arXiv 2309.06180), section 4;
//     the merge: Dao et al. 2022 (arXiv 2205.14135), section 3.1
//
// All rows that share a key/value head (query heads of its group x new tokens) are one tile of 16 rows,
// so the cache is read once. Every byte of it is used for a few multiplications only: what counts is to
// keep many loads under way. A block has one split of one head; its four warps share nothing until the end:
//
//     context of a sequence |--------- split 0 ---------|--------- split 1 ---------|-- ...
//     tiles of 16 tokens    | w0 w1 w2 w3 | w0 w1 w2 w3 |      each warp has its own tiles, its own
//     pages, anywhere         17    3    42    8   ...         two stages and its own running softmax
//
// The data's way: a lane looks up where one token of the tile lies; the warp copies the rows of k and v
// with cp.async, 16 bytes a lane, into its own swizzled shared memory while it computes on the tile before
// with ldmatrix and mma.sync. There is no barrier of the block in the loop. Then the four partial outputs
// are merged through shared memory, and, where there are several splits, written in fp32 with their
// log-sum-exp for a second kernel that merges them.
// Resources: 128 threads; shared memory 32 KB (dim 64) or 64 KB (dim 128): 2 to 6 blocks an SM, each with
// 16 to 64 KB under way, where 3.4 TB/s at 1 us over 132 SMs need 26 KB.
//
// Not yet run on a GPU; the tests run this very code on a CPU (tests/kernels/simt).
#include "../../cuda/launch.cuh"
#include "../../cuda/softmax.cuh"
#include "cache.cuh"

namespace {

constexpr int WARP = 32, WARPS = 4, THREADS = WARPS * WARP;
constexpr int ROWS = 16;                // of a tile, one mma high
constexpr int KEYS = 16, COLUMNS = 2;   // tokens of a warp's tile, and their mma tiles
constexpr int BLOCK_KEYS = WARPS * KEYS;
constexpr int STAGES = 2;

template <int DIM>
struct Shared {  // of one warp: stages of k and v, which its partial output takes over in the end
    static constexpr int TILE = KEYS * DIM, ELEMENTS = STAGES * 2 * TILE;
    static constexpr int SUMS = 2 * WARPS * ROWS;  // floats behind all of them: tops and totals
    static constexpr int BYTES = WARPS * ELEMENTS * 2 + SUMS * 4;
    static_assert(ELEMENTS * 2 >= ROWS * DIM * 4, "a partial output fits into its warp's stages");

    static __device__ __forceinline__ uint16_t *base(int warp) {
        return reinterpret_cast<uint16_t *>(shared_memory()) + warp * ELEMENTS;
    }
    static __device__ __forceinline__ uint16_t *k(int warp, int stage) {
        return base(warp) + stage * 2 * TILE;
    }
    static __device__ __forceinline__ uint16_t *v(int warp, int stage) { return k(warp, stage) + TILE; }
    static __device__ __forceinline__ float *out(int warp) {
        return reinterpret_cast<float *>(base(warp));
    }
    static __device__ __forceinline__ float *top(int warp) { return out(WARPS) + warp * ROWS; }
    static __device__ __forceinline__ float *total(int warp) { return top(WARPS + warp); }
};

// Where this block works.
struct Place {
    int b, head_kv, split, first_row, rows;  // rows of the head, from first_row on
    int64_t out_row;                         // of the head's first row, in [batch, heads_q, seq_q]
    int length;                              // tokens of the sequence
    Keys keys;                               // of the split
};

__device__ __forceinline__ Place place_of_block(const Decode &p) {
    Place at;
    int group = p.heads_q / p.heads_kv;
    at.split = blockIdx.x;
    at.head_kv = blockIdx.y % p.heads_kv;
    at.first_row = blockIdx.y / p.heads_kv * ROWS;
    at.b = blockIdx.z;
    at.rows = group * p.seq_q;
    at.out_row = (int64_t(at.b) * p.heads_q + at.head_kv * group) * p.seq_q;
    at.length = p.lengths[at.b];
    Keys first = seen_by_row(0, p.seq_q, at.length, p.left, p.right);
    Keys last = seen_by_row(p.seq_q - 1, p.seq_q, at.length, p.left, p.right);
    at.keys = keys_of_split(seen_by_any(first, last), at.split, p.splits, BLOCK_KEYS);
    return at;
}

// The tile's rows of q, as operand a; rows that there aren't are zeros.
template <int DIM>
__device__ __forceinline__ void load_q(uint32_t (&q)[1][DIM / 16][4], const Decode &p, const Place &at,
                                       int lane) {
#pragma unroll
    for (int d = 0; d < DIM / 16; d++)
#pragma unroll
        for (int i = 0; i < 4; i++) {
            int row = at.first_row + row_of(lane, i % 2 * 2);
            int column = d * 16 + i / 2 * 8 + column_of(lane, 0);
            const uint16_t *from = p.q + (at.out_row + row) * DIM + column;
            q[0][d][i] = row < at.rows ? *reinterpret_cast<const uint32_t *>(from) : 0;
        }
}

// Which row of the cache a lane looks up for its warp: that of token `key` + lane % 16, or -1.
__device__ __forceinline__ int64_t look_up(const Decode &p, const Place &at, int key, int lane) {
    int token = key + lane % KEYS;
    return token < at.keys.end ? row_of_token(p, at.b, at.head_kv, token) : -1;
}

// Begin to copy a tile's tokens; those past the split's end become zeros.
template <int DIM>
__device__ __forceinline__ void fetch(uint16_t *k, uint16_t *v, const Decode &p, int64_t looked_up,
                                      int lane) {
    constexpr int ROW_CHUNKS = DIM / CHUNK, AT_ONCE = WARP / ROW_CHUNKS;
    int chunk = lane % ROW_CHUNKS;
#pragma unroll
    for (int row = lane / ROW_CHUNKS; row < KEYS; row += AT_ONCE) {
        int64_t source = from_lane(looked_up, row);
        bool there = source >= 0;
        int64_t from = (there ? source : 0) * DIM + chunk * CHUNK;
        copy_async(k + place_of(row, chunk, DIM), p.k + from, there);
        copy_async(v + place_of(row, chunk, DIM), p.v + from, there);
    }
}

// Scores of tokens that a row doesn't see, or that aren't the split's, become -inf.
__device__ __forceinline__ void hide(float (&scores)[1][COLUMNS][4], const Decode &p, const Place &at,
                                     int key, int lane) {
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int token = (at.first_row + row_of(lane, 2 * half)) % p.seq_q;
        Keys seen = seen_by_row(token, p.seq_q, at.length, p.left, p.right);
        int end = lesser(seen.end, at.keys.end);
#pragma unroll
        for (int n = 0; n < COLUMNS; n++)
#pragma unroll
            for (int c = 0; c < 2; c++) {
                int j = key + n * 8 + column_of(lane, c);
                if (j < seen.begin || j >= end) scores[0][n][2 * half + c] = -INFINITY;
            }
    }
}

// A warp's own tiles, one after the other.
template <typename Element, int DIM>
__device__ __forceinline__ void attend(float (&out)[1][DIM / 8][4], RunningSoftmax<1> &softmax,
                                       const Decode &p, const Place &at, int warp, int lane) {
    using S = Shared<DIM>;
    uint32_t q[1][DIM / 16][4];
    load_q<DIM>(q, p, at, lane);
    auto held_q = [&](uint32_t(&a)[4], int, int d) {
        for (int i = 0; i < 4; i++) a[i] = q[0][d][i];
    };
    int begin = at.keys.begin + warp * KEYS;
    int64_t looked_up = look_up(p, at, begin, lane);  // a tile ahead of the copies, which wait for it
    auto fetch_tile = [&](int t) {
        int key = begin + t * BLOCK_KEYS, stage = t % STAGES;
        if (key < at.keys.end) fetch<DIM>(S::k(warp, stage), S::v(warp, stage), p, looked_up, lane);
        copy_commit();  // an empty group too: the count below stays right
        looked_up = look_up(p, at, key + BLOCK_KEYS, lane);
    };
#pragma unroll
    for (int t = 0; t < STAGES - 1; t++) fetch_tile(t);
    for (int t = 0, key = begin; key < at.keys.end; t++, key += BLOCK_KEYS) {
        fetch_tile(t + STAGES - 1);
        copy_wait<STAGES - 1>();  // this lane's part of tile t is there
        wait_for_warp();          // and the other lanes'
        float scores[1][COLUMNS][4], shrink[1][2];
        score<Element, DIM>(scores, held_q, S::k(warp, t % STAGES), lane);
        hide(scores, p, at, key, lane);
        softmax.take(scores, shrink, p.scale * LOG2E);
        shrink_rows(out, shrink);
        weigh<Element, DIM>(out, scores, S::v(warp, t % STAGES), lane);
        wait_for_warp();  // the next turn fetches into this stage
    }
    copy_wait<0>();
}

// A warp's result to shared memory, where its stages were.
template <int DIM>
__device__ __forceinline__ void leave(const float (&out)[1][DIM / 8][4], const RunningSoftmax<1> &softmax,
                                      int warp, int lane) {
    using S = Shared<DIM>;
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int row = row_of(lane, 2 * half);
        float total = sum_of_quad(softmax.total[0][half]);
        if (lane % 4 == 0) {
            S::top(warp)[row] = softmax.top[0][half];
            S::total(warp)[row] = total;
        }
#pragma unroll
        for (int n = 0; n < DIM / 8; n++)
#pragma unroll
            for (int c = 0; c < 2; c++)
                S::out(warp)[row * DIM + n * 8 + column_of(lane, c)] = out[0][n][2 * half + c];
    }
}

// The four warps' results become one: to `out`, or of several splits to `partial`.
template <typename Element, int DIM>
__device__ __forceinline__ void merge_warps(const Decode &p, const Place &at) {
    using S = Shared<DIM>;
    float factor = p.scale * LOG2E;
    int rows = lesser(ROWS, at.rows - at.first_row);
    int64_t all_rows = int64_t(p.batch) * p.heads_q * p.seq_q;
    for (int pair = threadIdx.x; pair < rows * DIM / 2; pair += THREADS) {
        int row = pair * 2 / DIM, column = pair * 2 % DIM;
        float top = -INFINITY, total = 0, low = 0, high = 0;
        for (int warp = 0; warp < WARPS; warp++) top = fmaxf(top, S::top(warp)[row]);
        float base = top == -INFINITY ? 0 : top;
        for (int warp = 0; warp < WARPS; warp++) {
            float share = power_of_two((S::top(warp)[row] - base) * factor);
            total += share * S::total(warp)[row];
            low += share * S::out(warp)[row * DIM + column];
            high += share * S::out(warp)[row * DIM + column + 1];
        }
        float norm = total > 0 ? 1 / total : 0;
        int64_t to = at.out_row + at.first_row + row;
        if (p.splits == 1) {
            uint32_t two = Element::pack(low * norm, high * norm);
            *reinterpret_cast<uint32_t *>(p.out + to * DIM + column) = two;
            continue;
        }
        to += at.split * all_rows;
        p.partial[to * DIM + column] = low * norm;
        p.partial[to * DIM + column + 1] = high * norm;
        if (column == 0) p.lse[to] = total > 0 ? top * factor + log2f(total) : -INFINITY;
    }
}

// Grid: (splits, heads_kv x tiles of rows, batch).
template <typename Element, int DIM>
__global__ void __launch_bounds__(THREADS, DIM == 64 ? 4 : 3) split_kv(const Decode p) {
    int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP;
    Place at = place_of_block(p);
    float out[1][DIM / 8][4] = {};
    RunningSoftmax<1> softmax;
    softmax.begin();
    attend<Element, DIM>(out, softmax, p, at, warp, lane);
    wait_for_warp();  // all lanes have left the stages
    leave<DIM>(out, softmax, warp, lane);
    wait_for_block();
    merge_warps<Element, DIM>(p, at);
}

// out = sum of exp2(lse_s - lse) partial_s. Grid: rows of all heads; a thread two columns.
template <typename Element, int DIM>
__global__ void __launch_bounds__(DIM / 2) merge_splits(const Decode p) {
    int64_t row = blockIdx.x, rows = gridDim.x;
    int column = threadIdx.x * 2;
    float top = -INFINITY, total = 0, low = 0, high = 0;
    for (int split = 0; split < p.splits; split++) top = fmaxf(top, p.lse[split * rows + row]);
    float base = top == -INFINITY ? 0 : top;
    for (int split = 0; split < p.splits; split++) {
        float share = power_of_two(p.lse[split * rows + row] - base);
        const float *from = p.partial + (split * rows + row) * DIM + column;
        total += share;
        low += share * from[0];
        high += share * from[1];
    }
    float norm = total > 0 ? 1 / total : 0;
    *reinterpret_cast<uint32_t *>(p.out + row * DIM + column) = Element::pack(low * norm, high * norm);
}

template <typename Element, int DIM>
int run(const Decode &p, void *stream) {
    int tiles = divide_up(p.heads_q / p.heads_kv * p.seq_q, ROWS);
    dim3 grid(p.splits, p.heads_kv * tiles, p.batch);
    int error = launch(split_kv<Element, DIM>, grid, THREADS, Shared<DIM>::BYTES, stream, p);
    if (error || p.splits == 1) return error;
    dim3 rows(p.batch * p.heads_q * p.seq_q);
    return launch(merge_splits<Element, DIM>, rows, DIM / 2, 0, stream, p);
}

}  // namespace

LAUNCHER split_kv_forward(const Decode *p, void *stream) {
    if (p->splits < 1) return cudaErrorInvalidValue;
    if (p->dim == 64) return p->bf16 ? run<Bf16, 64>(*p, stream) : run<Fp16, 64>(*p, stream);
    if (p->dim == 128) return p->bf16 ? run<Bf16, 128>(*p, stream) : run<Fp16, 128>(*p, stream);
    return cudaErrorInvalidValue;
}

// How many splits a context of `tokens` is best cut into on the current GPU,
// or a CUDA error below 0.
LAUNCHER split_count(int dim, int batch, int heads_q, int heads_kv, int seq_q, int tokens) {
    int tiles = divide_up(heads_q / heads_kv * seq_q, ROWS), places = 0;
    int error = dim == 64 ? places_of(split_kv<Bf16, 64>, THREADS, Shared<64>::BYTES, &places)
                          : places_of(split_kv<Bf16, 128>, THREADS, Shared<128>::BYTES, &places);
    if (error) return -error;
    return best_splits(batch * heads_kv * tiles, places, divide_up(tokens, BLOCK_KEYS));
}

LAUNCHER argument_bytes() { return sizeof(Decode); }

// Dynamic shared memory of a block.
LAUNCHER shared_bytes(int dim) { return dim == 64 ? Shared<64>::BYTES : Shared<128>::BYTES; }
