// Fused attention on the tensor cores of sm_80 and newer: FlashAttention-2's forward pass.
//
//     Dao 2023 (arXiv 2307.08691), algorithm 1
//
// A block owns a tile of rows of one head; tiles of keys stream past it. The scores never leave the
// registers:
//
//                 keys  k0   k1   k2   k3          a warp: 32 rows of the tile, all of its keys
//     rows  warp 0    |    |    |\   |             a tile of keys that no row sees costs nothing
//           warp 1    |    |    | \  |             one that all rows see whole needs no mask: only
//           warp 2    |    |    |  \ |             those on the edges (\) are compared key by key
//           warp 3    |____|____|___\|
//
// The data's way: global memory -> cp.async (16 bytes a thread, zeros past the end) -> shared memory,
// swizzled (fragments.cuh) -> ldmatrix -> registers -> mma.sync. k and v have two stages each, and while
// tile t is computed t + 1 is on its way: k(t+1) is asked for when all warps are done with k(t-1), v(t+1)
// when they are done with v(t-1), so that two barriers a tile are enough. A warp has 32 rows, so that what
// it loads of k and v is multiplied twice: with 16, shared memory would be as busy as the tensor cores. For
// that q doesn't fit into registers too, and is loaded again for each tile. The output leaves through the
// shared memory that q came by, 16 bytes a thread.
// Resources: 128 threads, at most 255 registers: two blocks an SM. Shared memory is the 128 rows of q and
// two stages of k and v: 48 KB with 64 keys at dim 64, 80 KB with 48 keys at dim 128.
// Query heads that share a key/value head are neighbours in the grid: the second-level cache serves them.
//
// Not yet run on a GPU; the tests run this very code on a CPU (tests/kernels/simt).
#include "../../cuda/launch.cuh"
#include "../../cuda/softmax.cuh"

namespace {

constexpr int WARP = 32;
constexpr int MMA_ROWS = 16, MMA_COLUMNS = 8;
constexpr int STAGES = 2;

template <int DIM_>
struct Tile {
    static constexpr int DIM = DIM_;
    static constexpr int ROWS = 128, KEYS = DIM == 64 ? 64 : 48;
    static constexpr int ROW_TILES = 2;  // mma tiles of a warp
    static constexpr int WARP_ROWS = ROW_TILES * MMA_ROWS;
    static constexpr int THREADS = ROWS / WARP_ROWS * WARP;
    static constexpr int COLUMNS = KEYS / MMA_COLUMNS;
    static constexpr int Q_ELEMENTS = ROWS * DIM, STAGE_ELEMENTS = KEYS * DIM;
    static constexpr int BYTES = (Q_ELEMENTS + 2 * STAGES * STAGE_ELEMENTS) * int(sizeof(uint16_t));
    static constexpr int BLOCKS = 2;  // on an SM, whose 64 K registers bind
};

// Shared memory: the rows of q, then the stages of k and of v.
template <typename T>
struct Shared {
    uint16_t *base = reinterpret_cast<uint16_t *>(shared_memory());
    __device__ __forceinline__ uint16_t *q() { return base; }
    __device__ __forceinline__ uint16_t *k(int stage) {
        return base + T::Q_ELEMENTS + stage * T::STAGE_ELEMENTS;
    }
    __device__ __forceinline__ uint16_t *v(int stage) { return k(STAGES + stage); }
};

// Begin to copy rows `first` ... of a matrix of `length` rows; those past its end become zeros.
template <int ROWS, int DIM, int THREADS>
__device__ __forceinline__ void fetch(uint16_t *to, const uint16_t *from, int first, int length) {
    constexpr int ROW_CHUNKS = DIM / CHUNK, AT_ONCE = THREADS / ROW_CHUNKS;
    static_assert(AT_ONCE % 8 == 0, "a thread's rows differ by whole turns of the swizzle");
    int chunk = threadIdx.x % ROW_CHUNKS, mine = threadIdx.x / ROW_CHUNKS;
    const uint16_t *source = from + int64_t(first + mine) * DIM + chunk * CHUNK;
    to += place_of(mine, chunk, DIM);
#pragma unroll
    for (int row = 0; row < ROWS; row += AT_ONCE)  // of an address past the end nothing is read
        copy_async(to + row * DIM, source + row * DIM, first + mine + row < length);
}

// Scores of keys that a row doesn't see become -inf. `row` is the warp's first, `key` the tile's.
template <typename T>
__device__ __forceinline__ void hide(float (&scores)[T::ROW_TILES][T::COLUMNS][4], const Attention &p,
                                     int row, int key, int lane) {
#pragma unroll
    for (int m = 0; m < T::ROW_TILES; m++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
            int i = row + m * MMA_ROWS + row_of(lane, 2 * half);
            Keys seen = seen_by_row(i, p.seq_q, p.seq_k, p.left, p.right);
#pragma unroll
            for (int n = 0; n < T::COLUMNS; n++)
#pragma unroll
                for (int c = 0; c < 2; c++) {
                    int j = key + n * MMA_COLUMNS + column_of(lane, c);
                    if (j < seen.begin || j >= seen.end) scores[m][n][2 * half + c] = -INFINITY;
                }
        }
}

// A warp's rows of the output, divided by the sum of their weights, to where its rows of q were.
template <typename Element, typename T>
__device__ __forceinline__ void stage_out(uint16_t *rows, float (&out)[T::ROW_TILES][T::DIM / 8][4],
                                          const RunningSoftmax<T::ROW_TILES> &softmax, int first,
                                          int lane) {
#pragma unroll
    for (int m = 0; m < T::ROW_TILES; m++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
            float total = sum_of_quad(softmax.total[m][half]);
            float share = total > 0 ? 1 / total : 0;  // a row that sees nothing gives 0
            int row = first + m * MMA_ROWS + row_of(lane, 2 * half);
#pragma unroll
            for (int n = 0; n < T::DIM / MMA_COLUMNS; n++) {
                uint32_t two = Element::pack(out[m][n][2 * half] * share, out[m][n][2 * half + 1] * share);
                uint16_t *to = rows + place_of(row, n, T::DIM) + column_of(lane, 0);
                *reinterpret_cast<uint32_t *>(to) = two;
            }
        }
}

// A warp's staged rows to global memory.
template <typename T>
__device__ __forceinline__ void store_out(uint16_t *to, const uint16_t *rows, int first, int tile_row,
                                          int seq_q, int lane) {
    constexpr int ROW_CHUNKS = T::DIM / CHUNK;
#pragma unroll
    for (int at = lane; at < T::WARP_ROWS * ROW_CHUNKS; at += WARP) {
        int row = first + at / ROW_CHUNKS, chunk = at % ROW_CHUNKS;
        if (tile_row + row < seq_q)
            *reinterpret_cast<uint4 *>(to + int64_t(tile_row + row) * T::DIM + chunk * CHUNK) =
                *reinterpret_cast<const uint4 *>(rows + place_of(row, chunk, T::DIM));
    }
}

// Grid: (tiles of rows, heads_q, batch). The last rows of a causal mask see most: they come first.
template <typename Element, int DIM>
__global__ void __launch_bounds__(Tile<DIM>::THREADS, Tile<DIM>::BLOCKS) flash(const Attention p) {
    using T = Tile<DIM>;
    int tile_row = (gridDim.x - 1 - blockIdx.x) * T::ROWS, head = blockIdx.y, b = blockIdx.z;
    int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP, warp_row = warp * T::WARP_ROWS;
    int head_kv = head / (p.heads_q / p.heads_kv);
    int64_t head_rows = head_offset(b, head, p.heads_q, p.seq_q, DIM);
    const uint16_t *keys = p.k + head_offset(b, head_kv, p.heads_kv, p.seq_k, DIM);
    const uint16_t *values = p.v + head_offset(b, head_kv, p.heads_kv, p.seq_k, DIM);
    Shared<T> shared;

    int last_row = lesser(tile_row + T::ROWS, p.seq_q) - 1;
    Keys first = seen_by_row(tile_row, p.seq_q, p.seq_k, p.left, p.right);
    Keys last = seen_by_row(last_row, p.seq_q, p.seq_k, p.left, p.right);
    Keys any = seen_by_any(first, last), all = seen_by_all(first, last);
    int begin = any.begin / T::KEYS, end = divide_up(greater(any.end, 0), T::KEYS);

    auto fetch_keys = [&](int t) {
        if (t < end)
            fetch<T::KEYS, DIM, T::THREADS>(shared.k(t % STAGES), keys, t * T::KEYS, p.seq_k);
        copy_commit();  // an empty group too: the counts below stay right
    };
    auto fetch_values = [&](int t) {
        if (t < end)
            fetch<T::KEYS, DIM, T::THREADS>(shared.v(t % STAGES), values, t * T::KEYS, p.seq_k);
        copy_commit();
    };

    fetch<T::ROWS, DIM, T::THREADS>(shared.q(), p.q + head_rows, tile_row, p.seq_q);
    copy_commit();
    fetch_keys(begin);
    fetch_values(begin);
    copy_wait<2>();  // q is there
    wait_for_block();
    RowAndChunk mine = sixteen_by_two(lane);
    auto load_q = [&](uint32_t(&a)[4], int m, int d) {
        int row = warp_row + m * MMA_ROWS + mine.row;
        load_matrices(a, shared.q() + place_of(row, d * 2 + mine.chunk, DIM));
    };

    float out[T::ROW_TILES][DIM / MMA_COLUMNS][4] = {};
    RunningSoftmax<T::ROW_TILES> softmax;
    softmax.begin();
    for (int t = begin; t < end; t++) {
        copy_wait<1>();  // k(t) is there; v(t) may be on its way
        wait_for_block();
        fetch_keys(t + 1);
        float scores[T::ROW_TILES][T::COLUMNS][4], shrink[T::ROW_TILES][2];
        score<Element, DIM>(scores, load_q, shared.k(t % STAGES), lane);
        int key = t * T::KEYS;
        if (key < all.begin || key + T::KEYS > all.end)
            hide<T>(scores, p, tile_row + warp_row, key, lane);
        softmax.take(scores, shrink, p.scale * LOG2E);
        shrink_rows(out, shrink);
        copy_wait<1>();  // v(t) is there; k(t+1) may be on its way
        wait_for_block();
        fetch_values(t + 1);
        weigh<Element, DIM>(out, scores, shared.v(t % STAGES), lane);
    }

    stage_out<Element, T>(shared.q(), out, softmax, warp_row, lane);
    wait_for_warp();  // a warp's rows of q are read and written by itself alone
    store_out<T>(p.out + head_rows, shared.q(), warp_row, tile_row, p.seq_q, lane);
}

template <typename Element, int DIM>
int run(const Attention &p, void *stream) {
    using T = Tile<DIM>;
    dim3 grid(divide_up(p.seq_q, T::ROWS), p.heads_q, p.batch);
    return launch(flash<Element, DIM>, grid, T::THREADS, T::BYTES, stream, p);
}

}  // namespace

LAUNCHER flash_forward(const Attention *p, void *stream) {
    if (p->dim == 64) return p->bf16 ? run<Bf16, 64>(*p, stream) : run<Fp16, 64>(*p, stream);
    if (p->dim == 128) return p->bf16 ? run<Bf16, 128>(*p, stream) : run<Fp16, 128>(*p, stream);
    return cudaErrorInvalidValue;
}

LAUNCHER argument_bytes() { return sizeof(Attention); }

// Dynamic shared memory of a block.
LAUNCHER shared_bytes(int dim) { return dim == 64 ? Tile<64>::BYTES : Tile<128>::BYTES; }
