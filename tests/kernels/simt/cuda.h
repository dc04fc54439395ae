// CUDA's own names for what the kernels use of it, on the machine of machine.h.
#pragma once

#include "machine.h"

#define threadIdx (simt::self().index)
#define blockIdx (simt::machine.block)
inline dim3 &gridDim = simt::machine.grid;
inline dim3 &blockDim = simt::machine.threads;

typedef int cudaError_t;
enum { cudaSuccess = 0, cudaErrorInvalidValue = 1 };
inline const char *cudaGetErrorString(cudaError_t code) {
    return code == 1 ? "a launch that no GPU would take" : simt::machine.failure.c_str();
}
inline cudaError_t cudaGetLastError() { return cudaSuccess; }
enum { cudaFuncAttributeMaxDynamicSharedMemorySize };
inline cudaError_t cudaFuncSetAttribute(const void *, int, int bytes) {
    return bytes > simt::SHARED_BYTES ? cudaErrorInvalidValue : cudaSuccess;
}
typedef void *cudaStream_t;
struct cudaLaunchConfig_t {
    dim3 gridDim, blockDim;
    int dynamicSmemBytes;
    cudaStream_t stream;
};
template <typename... Parameters, typename... Arguments>
cudaError_t cudaLaunchKernelEx(cudaLaunchConfig_t *config, void (*kernel)(Parameters...),
                               Arguments... arguments) {
    return simt::run_grid(config->gridDim, config->blockDim.x, config->dynamicSmemBytes,
                          [=] { kernel(arguments...); });
}

// A small GPU, so that small problems fill it too.
enum { cudaDevAttrMultiProcessorCount };
inline cudaError_t cudaGetDevice(int *device) { return *device = 0; }
inline cudaError_t cudaDeviceGetAttribute(int *count, int, int) {
    *count = 8;
    return cudaSuccess;
}
template <typename Kernel>
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, Kernel, int, int) {
    *blocks = 2;
    return cudaSuccess;
}

inline uint32_t bits_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, 4);
    return bits;
}
inline float float_of(uint32_t bits) {
    float x;
    memcpy(&x, &bits, 4);
    return x;
}

struct Fp16 {
    static float wide(uint16_t bits) {
        _Float16 x;
        memcpy(&x, &bits, 2);
        return x;
    }
    static uint16_t narrow(float x) {
        _Float16 half = x;
        uint16_t bits;
        memcpy(&bits, &half, 2);
        return bits;
    }
    static uint32_t pack(float low, float high) { return narrow(low) | uint32_t(narrow(high)) << 16; }
};

struct Bf16 {
    static float wide(uint16_t bits) { return float_of(uint32_t(bits) << 16); }
    static uint16_t narrow(float x) {  // to nearest, ties to even
        uint32_t bits = bits_of(x);
        if (x != x) return 0x7fff;
        return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    }
    static uint32_t pack(float low, float high) { return narrow(low) | uint32_t(narrow(high)) << 16; }
};

// For the tests: how the next launches are run.
extern "C" __attribute__((weak)) int simt_options(int seed, int eager) {
    simt::machine.options.seed = seed;
    simt::machine.options.eager = eager;
    return 0;
}

#include "hopper.h"
