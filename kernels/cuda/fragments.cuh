// Where elements lie: in a swizzled tile of shared memory, and in the registers of a warp.
//
// A tile is rows of `dim` 16-bit elements, in 16-byte chunks of 8. Chunk c of row r is stored in place
// c ^ (r % 8) of its row: eight rows at one chunk, which is what ldmatrix reads at once, then lie in
// different banks (a row is a multiple of 128 bytes, which is all banks once), as do eight chunks of one
// row, which is what cp.async writes.
//
//     row 0   0 1 2 3 4 5 6 7        mma.m16n8k16, lane = 4 group + quad (PTX ISA, its fragments):
//     row 1   1 0 3 2 5 4 7 6          a[i]: row group + 8 (i % 2),  columns 2 quad + 8 (i / 2) and next
//     row 2   2 3 0 1 6 7 4 5          b[i]: column group,           rows    2 quad + 8 i and next
//     ...                              d[i]: row group + 8 (i / 2),  column  2 quad + i % 2
//
// So an accumulator's columns 0-7 and 8-15 are, packed in twos, the operand a of the next product.
#pragma once

#include "attention.cuh"

constexpr int CHUNK = 8;  // elements of 16 bytes

// Where chunk `chunk` of row `row` begins in a tile of rows of `dim` elements, in elements.
__host__ __device__ inline int place_of(int row, int chunk, int dim) {
    return row * dim + (chunk ^ (row & 7)) * CHUNK;
}

// What lane `lane` points ldmatrix.x4 at.
struct RowAndChunk {
    int row, chunk;
};

// Operand a, 16 rows x 16 columns stored row by row; and, loaded transposed, operand b of 16 columns
// out of a tile stored with b's rows as its rows: b[0], b[1] of columns 0-7, then of columns 8-15.
__host__ __device__ inline RowAndChunk sixteen_by_two(int lane) { return {lane % 16, lane / 16}; }

// Operand b of 16 columns out of a tile stored with b's columns as its rows.
__host__ __device__ inline RowAndChunk columns_as_rows(int lane) {
    return {lane % 8 + lane / 16 * 8, lane / 8 % 2};
}

// Row and column, in a 16 x 8 accumulator, of a lane's element i.
__host__ __device__ inline int row_of(int lane, int i) { return lane / 4 + i / 2 * 8; }
__host__ __device__ inline int column_of(int lane, int i) { return lane % 4 * 2 + i % 2; }
