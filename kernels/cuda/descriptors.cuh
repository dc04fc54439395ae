// How wgmma and TMA see shared memory: panels 64 elements wide under the 128-byte swizzle.
//
// A tile of rows x dim is dim / 64 panels, each its rows one after another, 128 bytes a row, beginning at a
// multiple of 1024 bytes. Within a panel TMA stores the 16-byte chunk c of row r in place c ^ (r % 8), by
// the address's own bits: 4-6 are exclusive-ored with 7-9.
//
//     panel 0              panel 1            a wgmma reads 16 columns of a panel's rows (q, k: "K-major",
//     row 0  64 elements   row 0  64 ...      the summed index lies along the row), or 16 rows of all panels
//     row 1  64 elements   row 1  64 ...      (v: "MN-major", the summed index goes down the rows)
//     ...                  ...
//
// Matrix descriptors: PTX ISA, "Matrix Descriptor Format" of wgmma: address, leading and stride offsets in
// units of 16 bytes; the canonical layouts that they speak of stand in CUTLASS, mma_traits_sm90_gmma.hpp.
#pragma once

#include "attention.cuh"

constexpr int PANEL = 64;                      // elements of a panel's row
constexpr int PANEL_ROW_BYTES = PANEL * 2;     // the span of the swizzle
constexpr int GROUP_BYTES = 8 * PANEL_ROW_BYTES;  // eight rows, after which the swizzle begins again
constexpr int DEPTH = 16;                      // of one wgmma of 16-bit elements

// leading: bytes between panels (where the operand is wider than one); stride: between groups of 8 rows.
__host__ __device__ inline uint64_t descriptor(uint32_t address, int leading, int stride) {
    constexpr uint64_t SWIZZLE_128 = 1;
    return uint64_t(address >> 4 & 0x3fff) | uint64_t(leading >> 4 & 0x3fff) << 16 |
           uint64_t(stride >> 4 & 0x3fff) << 32 | SWIZZLE_128 << 62;
}

// q's or k's columns 16 * step ... of a tile of `rows` rows at `address`.
__host__ __device__ inline uint64_t columns_of(uint32_t address, int rows, int step) {
    int panel = step * DEPTH / PANEL, column = step * DEPTH % PANEL;
    return descriptor(address + panel * rows * PANEL_ROW_BYTES + column * 2, 16, GROUP_BYTES);
}

// v's rows 16 * step ... of a tile of `rows` rows at `address`, all columns.
__host__ __device__ inline uint64_t rows_of(uint32_t address, int rows, int step) {
    return descriptor(address + step * DEPTH * PANEL_ROW_BYTES, rows * PANEL_ROW_BYTES, GROUP_BYTES);
}

// Element where chunk `chunk` (8 elements) of row `row` of a tile of `rows` rows begins.
__host__ __device__ inline int place_in_panels(int row, int chunk, int rows) {
    return chunk / 8 * rows * PANEL + row * PANEL + ((chunk & 7) ^ (row & 7)) * 8;
}
