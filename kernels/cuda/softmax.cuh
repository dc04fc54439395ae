// The running softmax of a warp's rows, and the two products around it, on mma.sync.
//
//     Milakov and Gimelshein 2018 (arXiv 1805.02867), algorithm 3; Dao 2023 (arXiv 2307.08691), section 3.1
//
// A warp owns TILES x 16 rows. Per row: the largest score so far, and this lane's share of the sum of
// the weights (a row's four lanes add theirs up once, at the end). Scores stay as the product gave them;
// scale and log2(e) come in with the exponent: exp2(score * factor - top * factor) is one multiply-add.
#pragma once

#include "fragments.cuh"
#include "ptx.cuh"

template <int TILES>
struct RunningSoftmax {
    float top[TILES][2], total[TILES][2];  // rows group and group + 8 of each tile

    __device__ __forceinline__ void begin() {
#pragma unroll
        for (int m = 0; m < TILES; m++)
            for (int half = 0; half < 2; half++) top[m][half] = -INFINITY, total[m][half] = 0;
    }

    // Scores of a tile become weights; beside them, what was before weighs `shrink` of what it did.
    template <int COLUMNS>
    __device__ __forceinline__ void take(float (&scores)[TILES][COLUMNS][4], float (&shrink)[TILES][2],
                                         float factor) {
#pragma unroll
        for (int m = 0; m < TILES; m++) {
#pragma unroll
            for (int half = 0; half < 2; half++) {
                float higher = top[m][half];
#pragma unroll
                for (int n = 0; n < COLUMNS; n++)
                    higher = fmaxf(higher, fmaxf(scores[m][n][2 * half], scores[m][n][2 * half + 1]));
                higher = largest_of_quad(higher);
                float base = higher == -INFINITY ? 0 : higher * factor;  // a row that has seen nothing
                shrink[m][half] = power_of_two(top[m][half] * factor - base);
                top[m][half] = higher;
                float sum = 0;
#pragma unroll
                for (int n = 0; n < COLUMNS; n++) {
#pragma unroll
                    for (int i = 2 * half; i < 2 * half + 2; i++) {
                        scores[m][n][i] = power_of_two(scores[m][n][i] * factor - base);
                        sum += scores[m][n][i];
                    }
                }
                total[m][half] = total[m][half] * shrink[m][half] + sum;
            }
        }
    }
};

template <int TILES, int COLUMNS>
__device__ __forceinline__ void shrink_rows(float (&out)[TILES][COLUMNS][4],
                                            const float (&shrink)[TILES][2]) {
#pragma unroll
    for (int m = 0; m < TILES; m++)
#pragma unroll
        for (int n = 0; n < COLUMNS; n++)
#pragma unroll
            for (int i = 0; i < 4; i++) out[m][n][i] *= shrink[m][i / 2];
}

// scores = q kT for 8 * COLUMNS keys, whose tile of rows of DIM elements begins at k. load_q(a, m, d) gives
// the operand of row tile m and depth d, out of registers or shared memory.
template <typename Element, int DIM, int TILES, int COLUMNS, typename LoadQ>
__device__ __forceinline__ void score(float (&scores)[TILES][COLUMNS][4], LoadQ load_q, const uint16_t *k,
                                      int lane) {
    RowAndChunk mine = columns_as_rows(lane);
#pragma unroll
    for (int m = 0; m < TILES; m++)
#pragma unroll
        for (int n = 0; n < COLUMNS; n++)
#pragma unroll
            for (int i = 0; i < 4; i++) scores[m][n][i] = 0;
#pragma unroll
    for (int d = 0; d < DIM / 16; d++) {
        uint32_t a[TILES][4];
#pragma unroll
        for (int m = 0; m < TILES; m++) load_q(a[m], m, d);
#pragma unroll
        for (int n = 0; n < COLUMNS; n += 2) {
            uint32_t b[4];
            load_matrices(b, k + place_of(n * 8 + mine.row, d * 2 + mine.chunk, DIM));
#pragma unroll
            for (int m = 0; m < TILES; m++) {
                multiply(Element(), scores[m][n], a[m], b[0], b[1]);
                multiply(Element(), scores[m][n + 1], a[m], b[2], b[3]);
            }
        }
    }
}

// out += weights v for 8 * COLUMNS keys; the weights are rounded to the element's type.
template <typename Element, int DIM, int TILES, int COLUMNS>
__device__ __forceinline__ void weigh(float (&out)[TILES][DIM / 8][4],
                                      const float (&weights)[TILES][COLUMNS][4], const uint16_t *v,
                                      int lane) {
    RowAndChunk mine = sixteen_by_two(lane);
#pragma unroll
    for (int n = 0; n < COLUMNS; n += 2) {
        uint32_t a[TILES][4];
#pragma unroll
        for (int m = 0; m < TILES; m++)
#pragma unroll
            for (int i = 0; i < 4; i++) {
                const float(&pair)[4] = weights[m][n + i / 2];
                a[m][i] = Element::pack(pair[i % 2 * 2], pair[i % 2 * 2 + 1]);
            }
#pragma unroll
        for (int d = 0; d < DIM / 16; d++) {
            uint32_t b[4];
            load_transposed(b, v + place_of(n * 8 + mine.row, d * 2 + mine.chunk, DIM));
#pragma unroll
            for (int m = 0; m < TILES; m++) {
                multiply(Element(), out[m][2 * d], a[m], b[0], b[1]);
                multiply(Element(), out[m][2 * d + 1], a[m], b[2], b[3]);
            }
        }
    }
}
