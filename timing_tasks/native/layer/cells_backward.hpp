// The backward pass of a layer of many cells.
#pragma once

#include "cells.hpp"

#include <utility>

namespace TIMING_TASKS_ISA {

template <class T, int W>
class CellsBackward : Cells<T, W> {
    using Base = Cells<T, W>;
    using Base::H, Base::HP, Base::I, Base::l, Base::P, Base::panels;
    using V = Vector<T, W>;
    // The weights' gradients are added up for so many rows of steps at a time, which stay in the cache until then.
    static constexpr std::int64_t ROWS_OF_STEPS = 128;

public:
    // For at most so many rows at a time.
    CellsBackward(const Layer<T>& layer, std::int64_t rows)
        : Base(layer), columns_((HP + (l.dx ? I : 0) + W - 1) / W), slots_(std::min(l.steps, (ROWS_OF_STEPS + rows - 1) / rows)),
          weights_(columns_ * 4 * HP * W), sums_(panels * (1 + I + H) * 4 * P), peephole_sums_(3 * HP), c0_(rows * HP), dh_(rows * HP),
          dc_(rows * HP), dnet_(slots_ * rows * 4 * HP) {}

    // The rows of a replica, from `begin` to `end`.
    void run(std::int64_t r, std::int64_t begin, std::int64_t end, const Gradients<T>& gradients) {
        if (r != replica_) take_weights(r);
        r_ = r, begin_ = begin, rows_ = end - begin;
        sums_.clear();
        peephole_sums_.clear();
        for (std::int64_t n = 0; n < rows_; ++n) {
            const std::int64_t from = (r * l.batch + begin + n) * H;
            std::copy_n(l.c0 + from, H, c0_ + n * HP);
            take(dh_ + n * HP, l.dh_last, from);
            take(dc_ + n * HP, l.dc_last, from);
        }
        for (std::int64_t t = l.steps, slot = 0; t-- > 0;) {
            T* const dnet = dnet_ + slot * rows_ * 4 * HP;
            in_blocks<4>(rows_, [&](std::int64_t n, auto rows) {
                this->each_register([&](std::int64_t panel, std::int64_t lane) { step<rows.value>(t, n, panel, lane, dnet); });
            });
            // What is left for the state before, and the error of the input.
            const bool cut = l.truncated && t > 0;
            if (cut) dh_.clear();
            in_blocks<ROWS_AT_ONCE>(rows_, [&](std::int64_t n, auto rows) {
                std::int64_t column = cut ? HP / W : 0;
                for (; column + 4 <= columns_; column += 4) errors<4, rows.value>(t, n, column, dnet);
                for (; column + 2 <= columns_; column += 2) errors<2, rows.value>(t, n, column, dnet);
                for (; column < columns_; ++column) errors<1, rows.value>(t, n, column, dnet);
            });
            if (++slot == slots_ || t == 0) {
                add_gradients(t, slot);
                slot = 0;
            }
        }
        for (std::int64_t n = 0; n < rows_; ++n) {
            const std::int64_t to = (r * l.batch + begin + n) * H;
            std::copy_n(dh_ + n * HP, H, l.dh0 + to);
            std::copy_n(dc_ + n * HP, H, l.dc0 + to);
        }
        give(gradients);
    }

private:
    void take(T* to, const T* from, std::int64_t offset) const {
        if (from) std::copy_n(from + offset, H, to);
        else std::fill_n(to, H, T(0));
    }

    // The errors at the net inputs of some rows, one register of cells, as [panel][row][gate][cell].
    template <int ROWS>
    TIMING_TASKS_INLINE void step(std::int64_t t, std::int64_t first, std::int64_t panel, std::int64_t lane, T* all) {
        const std::int64_t j = panel * P + lane;
        T* const bias = sums_ + panel * (1 + I + H) * 4 * P + lane;
        T* const peephole = peephole_sums_ + j;
        const Peepholes<T, W> peepholes = this->peepholes(j);
        const Cut cut{l.truncated, l.truncated && t > 0};
        V bias_sums[4], peephole_sums[3];
        for (int gate = 0; gate < 4; ++gate) bias_sums[gate] = load<W>(bias + gate * P);
        for (int p = 0; p < 3; ++p) peephole_sums[p] = load<W>(peephole + p * HP);
#pragma GCC unroll 4
        for (std::int64_t n = first; n < first + ROWS; ++n) {
            const auto kept = Kept<T, W>::load_from(this->tape(t, r_, begin_ + n) + j, HP);
            const V c_before = load<W>(t ? this->tape(t - 1, r_, begin_ + n) + 4 * HP + j : c0_ + n * HP + j);
            V dh = load<W>(dh_ + n * HP + j), dc = load<W>(dc_ + n * HP + j), dnet[4];
            if (l.dout) dh += load_some<W>(l.dout + this->place(t, r_, begin_ + n, H) + j, H - j);
            step_backward<T, W>(kept, c_before, peepholes, l.cell_input, l.cell_output, cut, dh, dc, dnet);
            store<W>(dc_ + n * HP + j, dc);
            for (int gate = 0; gate < 4; ++gate) {
                store<W>(all + ((panel * rows_ + n) * 4 + gate) * P + lane, dnet[gate]);
                bias_sums[gate] += dnet[gate];
            }
            peephole_sums[0] = fused<T, W>(dnet[0], c_before, peephole_sums[0]);
            peephole_sums[1] = fused<T, W>(dnet[1], c_before, peephole_sums[1]);
            peephole_sums[2] = fused<T, W>(dnet[3], kept.c, peephole_sums[2]);
        }
        for (int gate = 0; gate < 4; ++gate) store<W>(bias + gate * P, bias_sums[gate]);
        for (int p = 0; p < 3; ++p) store<W>(peephole + p * HP, peephole_sums[p]);
    }

    // The errors of some rows and of so many registers of columns: first the units, then, from HP on, the inputs.
    template <int REGISTERS, int ROWS>
    TIMING_TASKS_INLINE void errors(std::int64_t t, std::int64_t n, std::int64_t column, const T* dnet) {
        V sums[REGISTERS][ROWS];
        set_zero(sums);
        const std::int64_t all = 4 * HP * W;
        for (std::int64_t panel = 0; panel < panels; ++panel)
            multiply<REGISTERS, ROWS, W>(sums, dnet + (panel * rows_ + n) * 4 * P, 4 * P, 1, weights_ + column * all + panel * 4 * P * W, all, W,
                                         4 * P);
#pragma GCC unroll 4
        for (int v = 0; v < REGISTERS; ++v) {
            const std::int64_t k = (column + v) * W;
            for (int m = 0; m < ROWS; ++m) {
                if (k < HP) store<W>(dh_ + (n + m) * HP + k, sums[v][m]);
                else store_some<W>(l.dx + this->place(t, r_, begin_ + n + m, I) + k - HP, sums[v][m], I - (k - HP));
            }
        }
    }

    // Adds the steps t, t + 1, ..., the last in slot 0, to the sums of the weights' gradients.
    void add_gradients(std::int64_t t, std::int64_t slots) {
        this->each_register([&](std::int64_t panel, std::int64_t lane) {
            T* const to = sums_ + (panel * (1 + I + H) + 1) * 4 * P + lane;
            const T* const dnet = dnet_ + panel * rows_ * 4 * P + lane;
            const auto add = [&](std::int64_t first, std::int64_t count, const auto& rows_at) {
                in_blocks<ROWS_AT_ONCE>(count, [&](std::int64_t k, auto columns) {
                    constexpr int COLUMNS = columns.value;
                    V sums[4][COLUMNS];
                    set_zero(sums);
                    for (std::int64_t slot = 0; slot < slots; ++slot) {
                        const auto [rows, stride] = rows_at(t + slots - 1 - slot);
                        multiply<4, COLUMNS, W>(sums, rows + k, 1, stride, dnet + slot * rows_ * 4 * HP, P, 4 * P, rows_);
                    }
                    for (int m = 0; m < COLUMNS; ++m)
                        for (int gate = 0; gate < 4; ++gate) {
                            T* const sum = to + (first + k + m) * 4 * P + gate * P;
                            store<W>(sum, load<W>(sum) + sums[gate][m]);
                        }
                });
            };
            add(0, I, [&](std::int64_t s) { return std::make_pair(this->x(s, r_, begin_), l.row_stride(I)); });
            add(I, H, [&](std::int64_t s) { return std::make_pair(this->h_before(s, r_, begin_), this->h_before_stride(s)); });
        });
    }

    // As [register of columns][panel][gate][cell][column].
    void take_weights(std::int64_t r) {
        replica_ = r;
        this->take_peepholes(r);
        for (std::int64_t gate = 0; gate < 4; ++gate)
            for (std::int64_t j = 0; j < H; ++j) {
                const std::int64_t row = (r * 4 + gate) * H + j;
                T* const to = weights_ + ((j / P * 4 + gate) * P + j % P) * W;
                const auto put = [&](std::int64_t k, T value) { to[k / W * 4 * HP * W + k % W] = value; };
                for (std::int64_t k = 0; k < H; ++k) put(k, l.weight_hh[row * H + k]);
                for (std::int64_t i = 0; l.dx && i < I; ++i) put(HP + i, l.weight_ih[row * I + i]);
            }
    }

    void give(const Gradients<T>& to) const {
        for (std::int64_t gate = 0; gate < 4; ++gate)
            for (std::int64_t j = 0; j < H; ++j) {
                const T* from = sums_ + j / P * (1 + I + H) * 4 * P + gate * P + j % P;
                const std::int64_t row = gate * H + j;
                if (to.bias) to.bias[row] = *from;
                for (std::int64_t i = 0; i < I; ++i) to.ih[row * I + i] = *(from += 4 * P);
                for (std::int64_t k = 0; k < H; ++k) to.hh[row * H + k] = *(from += 4 * P);
            }
        for (std::int64_t p = 0; to.peephole && p < 3; ++p) std::copy_n(peephole_sums_ + p * HP, H, to.peephole + p * H);
    }

    const std::int64_t columns_, slots_;
    Buffer<T> weights_, sums_, peephole_sums_, c0_, dh_, dc_, dnet_;
    std::int64_t replica_ = -1, r_ = 0, begin_ = 0, rows_ = 0;
};

}  // namespace TIMING_TASKS_ISA
