// The kernels' own index arithmetic, for tests to call (compiled with HOST_MODEL).
#include "../../../kernels/cuda/descriptors.cuh"
#include "../../../kernels/cuda/fragments.cuh"
#include "../../../kernels/decode/cuda_split_kv/cache.cuh"

extern "C" {
int place(int row, int chunk, int dim) { return place_of(row, chunk, dim); }

void seen(int i, int seq_q, int seq_k, int left, int right, int *out) {
    Keys keys = seen_by_row(i, seq_q, seq_k, left, right);
    out[0] = keys.begin, out[1] = keys.end;
}

// begin and end of what some row of first ... last sees, then of what all of them see
void seen_by_rows(int first, int last, int seq_q, int seq_k, int left, int right, int *out) {
    Keys a = seen_by_row(first, seq_q, seq_k, left, right);
    Keys b = seen_by_row(last, seq_q, seq_k, left, right);
    Keys any = seen_by_any(a, b), all = seen_by_all(a, b);
    out[0] = any.begin, out[1] = any.end, out[2] = all.begin, out[3] = all.end;
}

void split(int begin, int end, int which, int splits, int unit, int *out) {
    Keys keys = keys_of_split({begin, end}, which, splits, unit);
    out[0] = keys.begin, out[1] = keys.end;
}

int64_t cached_row(const int *table, int heads_kv, int seq_k, int page, int b, int h, int j) {
    Decode p = {};
    p.table = table, p.heads_kv = heads_kv, p.seq_k = seq_k, p.page = page;
    return row_of_token(p, b, h, j);
}

int splits(int blocks, int places, int units) { return best_splits(blocks, places, units); }

uint64_t columns_descriptor(int address, int rows, int step) { return columns_of(address, rows, step); }
uint64_t rows_descriptor(int address, int rows, int step) { return rows_of(address, rows, step); }
int panel_place(int row, int chunk, int rows) { return place_in_panels(row, chunk, rows); }

void fragment(int lane, int *out) {
    RowAndChunk a = sixteen_by_two(lane), b = columns_as_rows(lane);
    int found[] = {a.row, a.chunk, b.row, b.chunk};
    for (int i = 0; i < 4; i++) out[i] = found[i];
    for (int i = 0; i < 4; i++) out[4 + 2 * i] = row_of(lane, i), out[5 + 2 * i] = column_of(lane, i);
}
}
