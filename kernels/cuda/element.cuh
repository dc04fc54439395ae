// fp16 and bf16 as the 16 bits they are in memory, and as fp32.
#pragma once

#include "attention.cuh"

#ifndef HOST_MODEL
#include <cuda_bf16.h>
#include <cuda_fp16.h>

struct Fp16 {
    static __device__ __forceinline__ float wide(uint16_t bits) {
        return __half2float(__ushort_as_half(bits));
    }
    // Two numbers in one register, `low` in the lower half, rounded to nearest.
    static __device__ __forceinline__ uint32_t pack(float low, float high) {
        __half2 both = __floats2half2_rn(low, high);
        return *reinterpret_cast<uint32_t *>(&both);
    }
};

struct Bf16 {
    static __device__ __forceinline__ float wide(uint16_t bits) {
        return __uint_as_float(uint32_t(bits) << 16);
    }
    static __device__ __forceinline__ uint32_t pack(float low, float high) {
        __nv_bfloat162 both = __floats2bfloat162_rn(low, high);
        return *reinterpret_cast<uint32_t *>(&both);
    }
};
#endif

// The two numbers that one 32-bit register holds.
template <typename Element>
__device__ __forceinline__ float low_of(uint32_t two) { return Element::wide(uint16_t(two)); }
template <typename Element>
__device__ __forceinline__ float high_of(uint32_t two) { return Element::wide(uint16_t(two >> 16)); }
