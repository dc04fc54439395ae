// Fused attention for Hopper (sm_90a): wgmma on tiles that TMA brings, by warps that do nothing else.
//
//     Shah et al. 2024, FlashAttention-3 (arXiv 2407.08608): 3.1 warp specialisation and taking turns
//     (algorithm 1), 3.2 softmax of one tile under the products of the next (algorithm 2)
//
// A block owns 128 rows of one head and has three warpgroups:
//
//     producer   one thread asks for boxes:   q | k0 v0 | k1 v1 | k2 v2 | ...      two stages each
//     consumer 0, rows 0-63                   S0 | S1  O0 | S2  O1 | ...           S(t) = q k(t)T
//     consumer 1, rows 64-127                      S0 | S1  O0 | S2 O1 | ...       O(t): out += P(t) v(t)
//                                             softmax(t) runs while O(t-1), and the other consumer's
//                                             products, are on the tensor cores
//
// The data's way: global memory -> TMA, swizzled, zeros past the end -> shared memory -> wgmma reads q, k
// and v there by descriptor (descriptors.cuh); scores come out in registers, become weights, and go back
// in as the register operand of the second product. No thread touches k or v. Stages are handed over by
// barriers: `full` ends a phase when its bytes are there, `empty` when all eight consumer warps have
// read. The output leaves through the shared memory that q came by.
// Resources: 384 threads; registers 24 a thread for the producer, 240 for consumers (out 64, scores 64,
// weights 32 at dim 128); shared memory 80 KB (dim 64) or 160 KB (dim 128): one block an SM.
// Causal masks and windows skip the tiles that no row sees; only tiles that are cut compare key by key.
//
// Not yet run on a GPU; the tests run this very code on a CPU (tests/kernels/simt).
#include "../../cuda/launch.cuh"
#include "../../cuda/softmax.cuh"
#include "tile.cuh"

namespace {

// Ask for a tile, a panel at a time.
template <int DIM, int BOX_ROWS>
__device__ __forceinline__ void ask(uint16_t *to, const TensorMap *map, int row, int head,
                                    uint64_t *full) {
    for (int panel = 0; panel < DIM / PANEL; panel++)
        copy_box(to + panel * BOX_ROWS * PANEL, map, panel * PANEL, row, head, full);
}

// The producer, one thread.
template <int DIM>
__device__ __forceinline__ void produce(Shared<DIM> &shared, const Maps &maps, const Attention &p,
                                        const Place &at) {
    using T = Tile<DIM>;
    int head = at.b * p.heads_q + at.head, head_kv = at.b * p.heads_kv + at.head_kv;
    arrive_expecting(shared.q_full(), T::Q_BYTES);
    for (int consumer = 0; consumer < CONSUMERS; consumer++)
        ask<DIM, GROUP_ROWS>(shared.q(consumer), &maps.q, at.row + consumer * GROUP_ROWS, head,
                             shared.q_full());
    for (int n = 0; n < at.end - at.begin; n++) {
        auto [stage, parity] = turn(n);
        wait(shared.k_empty(stage), parity ^ 1);  // the first time round it is empty
        arrive_expecting(shared.k_full(stage), T::STAGE_BYTES);
        ask<DIM, KEYS>(shared.k(stage), &maps.k, (at.begin + n) * KEYS, head_kv, shared.k_full(stage));
        wait(shared.v_empty(stage), parity ^ 1);
        arrive_expecting(shared.v_full(stage), T::STAGE_BYTES);
        ask<DIM, KEYS>(shared.v(stage), &maps.v, (at.begin + n) * KEYS, head_kv, shared.v_full(stage));
    }
}

// A consumer's products and what they work on.
template <typename Element, int DIM>
struct Consumer {
    using T = Tile<DIM>;
    Shared<DIM> shared;
    int which, warp, lane;  // of its warpgroup
    float scores[1][T::COLUMNS][4], out[1][T::OUT][4];
    uint32_t weights[KEYS / DEPTH][4];

    __device__ __forceinline__ auto &flat_scores() {
        return reinterpret_cast<float(&)[T::COLUMNS * 4]>(scores);
    }
    __device__ __forceinline__ auto &flat_out() { return reinterpret_cast<float(&)[T::OUT * 4]>(out); }

    // Begin scores = q kT of the n-th tile.
    __device__ __forceinline__ void begin_scores(int n) {
        uint32_t q = shared_address(shared.q(which)), k = shared_address(shared.k(turn(n).stage));
        products_fence();
#pragma unroll
        for (int step = 0; step < DIM / DEPTH; step++)
            multiply_shared(Element(), flat_scores(), columns_of(q, GROUP_ROWS, step),
                            columns_of(k, KEYS, step), step > 0);
        products_commit();
    }

    // Begin out += weights v of the n-th tile.
    __device__ __forceinline__ void begin_out(int n) {
        uint32_t v = shared_address(shared.v(turn(n).stage));
        products_fence();
#pragma unroll
        for (int step = 0; step < KEYS / DEPTH; step++)
            multiply_held(Element(), flat_out(), weights[step], rows_of(v, KEYS, step));
        products_commit();
    }

    // This warp has read a stage.
    __device__ __forceinline__ void release(uint64_t *empty) {
        if (lane == 0) arrive(empty);
    }

    // An accumulator's columns are the next product's register operand, once they are packed.
    __device__ __forceinline__ void pack_weights() {
#pragma unroll
        for (int step = 0; step < KEYS / DEPTH; step++)
#pragma unroll
            for (int i = 0; i < 4; i++) {
                const float(&four)[4] = scores[0][2 * step + i / 2];
                weights[step][i] = Element::pack(four[i % 2 * 2], four[i % 2 * 2 + 1]);
            }
    }

    // Scores of keys that a row doesn't see become -inf.
    __device__ __forceinline__ void hide(const Attention &p, int row, int key) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            int i = row + warp * 16 + row_of(lane, 2 * half);
            Keys seen = seen_by_row(i, p.seq_q, p.seq_k, p.left, p.right);
#pragma unroll
            for (int n = 0; n < T::COLUMNS; n++)
#pragma unroll
                for (int c = 0; c < 2; c++) {
                    int j = key + n * 8 + column_of(lane, c);
                    if (j < seen.begin || j >= seen.end) scores[0][n][2 * half + c] = -INFINITY;
                }
        }
    }

    // A warp's 16 rows, divided by the sum of their weights, to where the consumer's q was, then out.
    __device__ __forceinline__ void store(const RunningSoftmax<1> &softmax, uint16_t *to, int row,
                                          int seq_q) {
        uint16_t *rows = shared.q(which);
#pragma unroll
        for (int half = 0; half < 2; half++) {
            float total = sum_of_quad(softmax.total[0][half]);
            float share = total > 0 ? 1 / total : 0;  // a row that sees nothing gives 0
            int mine = warp * 16 + row_of(lane, 2 * half);
#pragma unroll
            for (int n = 0; n < T::OUT; n++) {
                uint16_t *at = rows + place_in_panels(mine, n, GROUP_ROWS) + column_of(lane, 0);
                *reinterpret_cast<uint32_t *>(at) =
                    Element::pack(out[0][n][2 * half] * share, out[0][n][2 * half + 1] * share);
            }
        }
        wait_for_warp();
#pragma unroll
        for (int at = lane; at < 16 * T::OUT; at += WARP) {
            int mine = warp * 16 + at / T::OUT, chunk = at % T::OUT;
            if (row + mine < seq_q)
                *reinterpret_cast<uint4 *>(to + int64_t(row + mine) * DIM + chunk * 8) =
                    *reinterpret_cast<const uint4 *>(rows + place_in_panels(mine, chunk, GROUP_ROWS));
        }
    }
};

template <typename Element, int DIM>
__device__ __forceinline__ void consume(Shared<DIM> &shared, const Attention &p, const Place &at,
                                        int which) {
    Consumer<Element, DIM> c;
    c.shared = shared, c.which = which;
    c.warp = threadIdx.x / WARP % 4, c.lane = threadIdx.x % WARP;
    int row = at.row + which * GROUP_ROWS, tiles = at.end - at.begin;
    Keys first = seen_by_row(row, p.seq_q, p.seq_k, p.left, p.right);
    Keys last = seen_by_row(row + GROUP_ROWS - 1, p.seq_q, p.seq_k, p.left, p.right);
    Keys all = seen_by_all(first, last);
    RunningSoftmax<1> softmax;
    softmax.begin();
#pragma unroll
    for (int n = 0; n < Tile<DIM>::OUT; n++)
        for (int i = 0; i < 4; i++) c.out[0][n][i] = 0;

    float shrink[1][2];
    auto soften = [&](int n) {  // scores of the n-th tile become weights, in fp32
        int key = (at.begin + n) * KEYS;
        if (key < all.begin || key + KEYS > all.end) c.hide(p, row, key);
        softmax.take(c.scores, shrink, p.scale * LOG2E);
    };
    // Consumers take turns at the tensor cores, so that one's softmax is under the other's products.
    auto my_turn = [&] { meet_at(FIRST_TURN + which, CONSUMERS * GROUP_THREADS); };
    auto your_turn = [&](bool last) {
        if (which == 0 || !last) pass_by(FIRST_TURN + (which ^ 1), CONSUMERS * GROUP_THREADS);
    };

    wait(shared.q_full(), 0);
    if (tiles > 0) {
        if (which == 1) pass_by(FIRST_TURN, CONSUMERS * GROUP_THREADS);  // consumer 0 begins
        wait(shared.k_full(0), 0);
        my_turn();
        c.begin_scores(0);
        your_turn(tiles == 1);
        products_wait<0>(c.flat_scores());
        c.release(shared.k_empty(0));
        soften(0);
        c.pack_weights();
        for (int n = 1; n < tiles; n++) {
            Turn now = turn(n), before = turn(n - 1);
            wait(shared.k_full(now.stage), now.parity);
            my_turn();
            c.begin_scores(n);
            wait(shared.v_full(before.stage), before.parity);
            c.begin_out(n - 1);
            your_turn(n == tiles - 1);
            products_wait<1>(c.flat_scores());  // those of out may go on
            c.release(shared.k_empty(now.stage));
            soften(n);
            products_wait<0>(c.flat_out());
            c.release(shared.v_empty(before.stage));
            shrink_rows(c.out, shrink);
            c.pack_weights();
        }
        Turn before = turn(tiles - 1);
        wait(shared.v_full(before.stage), before.parity);
        c.begin_out(tiles - 1);
        products_wait<0>(c.flat_out());
    }
    meet_at(FIRST_OWN + which, GROUP_THREADS);  // all four warps are done with q
    c.store(softmax, p.out + head_offset(at.b, at.head, p.heads_q, p.seq_q, DIM), row, p.seq_q);
}

// Grid: (tiles of rows, heads_q, batch).
template <typename Element, int DIM>
__global__ void __launch_bounds__(THREADS, 1) hopper(const __grid_constant__ Maps maps, const Attention p) {
    Shared<DIM> shared;
    if (shared_address(shared.base) % GROUP_BYTES) trap();  // the swizzle goes by the address
    Place at = place_of_block(p);
    if (threadIdx.x == 0) begin_barriers(shared);
    wait_for_block();
    if (threadIdx.x < GROUP_THREADS) {
        give_registers<PRODUCER_REGISTERS>();
        if (threadIdx.x == 0) produce(shared, maps, p, at);
    } else {
        take_registers<CONSUMER_REGISTERS>();
        consume<Element>(shared, p, at, threadIdx.x / GROUP_THREADS - 1);
    }
}

template <typename Element, int DIM>
int run(const Attention &p, void *stream) {
    Maps maps;
    int64_t heads_q = int64_t(p.batch) * p.heads_q, heads_kv = int64_t(p.batch) * p.heads_kv;
    int error = tensor_map(&maps.q, p.q, heads_q, p.seq_q, DIM, GROUP_ROWS, p.bf16);
    if (!error) error = tensor_map(&maps.k, p.k, heads_kv, p.seq_k, DIM, KEYS, p.bf16);
    if (!error) error = tensor_map(&maps.v, p.v, heads_kv, p.seq_k, DIM, KEYS, p.bf16);
    if (error) return error;
    dim3 grid(divide_up(p.seq_q, ROWS), p.heads_q, p.batch);
    return launch(hopper<Element, DIM>, grid, THREADS, Tile<DIM>::BYTES, stream, maps, p);
}

}  // namespace

LAUNCHER hopper_forward(const Attention *p, void *stream) {
    if (p->dim == 64) return p->bf16 ? run<Bf16, 64>(*p, stream) : run<Fp16, 64>(*p, stream);
    if (p->dim == 128) return p->bf16 ? run<Bf16, 128>(*p, stream) : run<Fp16, 128>(*p, stream);
    return cudaErrorInvalidValue;
}

LAUNCHER argument_bytes() { return sizeof(Attention); }

// Dynamic shared memory of a block.
LAUNCHER shared_bytes(int dim) { return dim == 64 ? Tile<64>::BYTES : Tile<128>::BYTES; }
