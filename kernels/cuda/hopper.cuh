// The instructions of sm_90a that the Hopper kernel is built of (PTX ISA): barriers that count bytes,
// bulk copies of boxes of a tensor (TMA), products of a warpgroup (wgmma), and registers handed over.
#pragma once

#include "descriptors.cuh"
#include "ptx.cuh"

#ifndef HOST_MODEL
#include <cuda.h>

typedef CUtensorMap TensorMap;

// --- barriers in shared memory: a phase ends when all have arrived and all announced bytes are there ----

__device__ __forceinline__ void barrier_begin(uint64_t *barrier, int arrivals) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)), "r"(arrivals)
                 : "memory");
}

// Barriers that one thread began are seen by all, and by the copy engine; wait_for_block comes next.
__device__ __forceinline__ void barriers_begun() {
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}

__device__ __forceinline__ void arrive(uint64_t *barrier) {
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(barrier)) : "memory");
}

// Arrive, and announce bytes that copies will bring.
__device__ __forceinline__ void arrive_expecting(uint64_t *barrier, int bytes) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(barrier)),
                 "r"(bytes)
                 : "memory");
}

// Wait for the end of the phase of this parity: 0 is the first, 1 the second and the one before the first.
__device__ __forceinline__ void wait(uint64_t *barrier, int parity) {
    uint32_t done = 0;
    while (!done)
        asm volatile(
            "{\n.reg .pred p;\n"
            "mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n"
            "selp.u32 %0, 1, 0, p;\n}"
            : "=r"(done)
            : "r"(shared_address(barrier)), "r"(parity)
            : "memory");
}

// --- TMA -------------------------------------------------------------------------------------------------

// Begin to copy the box at column x, row y, head z; zeros past the tensor's end. The barrier counts bytes.
__device__ __forceinline__ void copy_box(void *to, const TensorMap *map, int x, int y, int z,
                                         uint64_t *barrier) {
    asm volatile(
        "cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes "
        "[%0], [%1, {%3, %4, %5}], [%2];" ::"r"(shared_address(to)),
        "l"(map), "r"(shared_address(barrier)), "r"(x), "r"(y), "r"(z)
        : "memory");
}

// --- wgmma: 128 threads multiply together, while they do something else ------------------------------------

// Before a first product, and after registers that one reads were written.
__device__ __forceinline__ void products_fence() {
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}
__device__ __forceinline__ void products_commit() {
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}

// clang-format off
#define REGISTERS_32 \
    "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, " \
    "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}"
#define REGISTERS_64 \
    "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, " \
    "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, " \
    "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, " \
    "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63}"
#define HOLD_8(d, i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3]), \
                     "+f"(d[i + 4]), "+f"(d[i + 5]), "+f"(d[i + 6]), "+f"(d[i + 7])
#define HOLD_32(d) HOLD_8(d, 0), HOLD_8(d, 8), HOLD_8(d, 16), HOLD_8(d, 24)
#define HOLD_64(d) HOLD_32(d), HOLD_8(d, 32), HOLD_8(d, 40), HOLD_8(d, 48), HOLD_8(d, 56)

// d (64 x 128) = a b, or d += a b: both operands in shared memory, the summed index along their rows.
#define MULTIPLY_SHARED(Element, TYPE)                                                                    \
    __device__ __forceinline__ void multiply_shared(Element, float (&d)[64], uint64_t a, uint64_t b,      \
                                                    bool add) {                                           \
        asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %66, 0;\n"                                         \
                     "wgmma.mma_async.sync.aligned.m64n128k16.f32." TYPE "." TYPE " "                     \
                     REGISTERS_64 ", %64, %65, p, 1, 1, 0, 0;\n}"                                         \
                     : HOLD_64(d) : "l"(a), "l"(b), "r"(int(add)));                                       \
    }

// d (64 x columns) += a b: a in registers, b in shared memory with the summed index down its rows.
#define MULTIPLY_HELD(Element, TYPE, COUNT, COLUMNS, A0, A1, A2, A3, B)                                   \
    __device__ __forceinline__ void multiply_held(Element, float (&d)[COUNT], const uint32_t (&a)[4],     \
                                                  uint64_t b) {                                           \
        asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, 1, 0;\n"                                         \
                     "wgmma.mma_async.sync.aligned.m64n" COLUMNS "k16.f32." TYPE "." TYPE " "             \
                     REGISTERS_##COUNT ", {%" A0 ", %" A1 ", %" A2 ", %" A3 "}, %" B ", p, 1, 1, 1;\n}"   \
                     : HOLD_##COUNT(d) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));             \
    }

MULTIPLY_SHARED(Fp16, "f16")
MULTIPLY_SHARED(Bf16, "bf16")
MULTIPLY_HELD(Fp16, "f16", 32, "64", "32", "33", "34", "35", "36")
MULTIPLY_HELD(Bf16, "bf16", 32, "64", "32", "33", "34", "35", "36")
MULTIPLY_HELD(Fp16, "f16", 64, "128", "64", "65", "66", "67", "68")
MULTIPLY_HELD(Bf16, "bf16", 64, "128", "64", "65", "66", "67", "68")

// Wait until at most PENDING groups of products are under way. What `d` holds is read after that only:
// the compiler would move its uses before the wait, which says nothing of registers.
template <int PENDING>
__device__ __forceinline__ void products_wait(float (&d)[64]) {
    asm volatile("wgmma.wait_group.sync.aligned %64;" : HOLD_64(d) : "n"(PENDING) : "memory");
}
template <int PENDING>
__device__ __forceinline__ void products_wait(float (&d)[32]) {
    asm volatile("wgmma.wait_group.sync.aligned %32;" : HOLD_32(d) : "n"(PENDING) : "memory");
}
// clang-format on

// --- warpgroups --------------------------------------------------------------------------------------------

template <int COUNT>
__device__ __forceinline__ void give_registers() {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(COUNT));
}
template <int COUNT>
__device__ __forceinline__ void take_registers() {
    asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(COUNT));
}

// Named barrier `id` of `threads` threads: meet there, or only say that one has been there.
__device__ __forceinline__ void meet_at(int id, int threads) {
    asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
}
__device__ __forceinline__ void pass_by(int id, int threads) {
    asm volatile("bar.arrive %0, %1;" ::"r"(id), "r"(threads) : "memory");
}

__device__ __forceinline__ void trap() { __trap(); }

// --- on the host ---------------------------------------------------------------------------------------------

// A tensor [heads, rows, dim] of 16-bit elements as TMA sees it, in boxes of `box_rows` rows of a panel.
inline int tensor_map(TensorMap *map, const uint16_t *base, int64_t heads, int rows, int dim, int box_rows,
                      bool bf16) {
    typedef CUresult (*Encode)(CUtensorMap *, CUtensorMapDataType, cuuint32_t, void *, const cuuint64_t *,
                               const cuuint64_t *, const cuuint32_t *, const cuuint32_t *,
                               CUtensorMapInterleave, CUtensorMapSwizzle, CUtensorMapL2promotion,
                               CUtensorMapFloatOOBfill);
    static void *encode = nullptr;  // of the driver, which isn't linked
    if (!encode) {
        cudaDriverEntryPointQueryResult found;
#if CUDART_VERSION >= 12050
        cudaError_t error = cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &encode, 12000,
                                                             cudaEnableDefault, &found);
#else
        cudaError_t error =
            cudaGetDriverEntryPoint("cuTensorMapEncodeTiled", &encode, cudaEnableDefault, &found);
#endif
        if (error != cudaSuccess) return cudaGetLastError(), error;
        if (found != cudaDriverEntryPointSuccess) return encode = nullptr, cudaErrorNotSupported;
    }
    cuuint64_t sizes[] = {cuuint64_t(dim), cuuint64_t(rows), cuuint64_t(heads)};
    cuuint64_t strides[] = {cuuint64_t(dim) * 2, cuuint64_t(rows) * dim * 2};  // bytes; the first is 2
    cuuint32_t box[] = {PANEL, cuuint32_t(box_rows), 1}, steps[] = {1, 1, 1};
    CUresult result = Encode(encode)(
        map, bf16 ? CU_TENSOR_MAP_DATA_TYPE_BFLOAT16 : CU_TENSOR_MAP_DATA_TYPE_FLOAT16, 3,
        const_cast<uint16_t *>(base), sizes, strides, box, steps, CU_TENSOR_MAP_INTERLEAVE_NONE,
        CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
        CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
    return result == CUDA_SUCCESS ? cudaSuccess : cudaErrorInvalidValue;
}

#endif
