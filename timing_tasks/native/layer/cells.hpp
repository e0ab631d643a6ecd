// Layers of many cells: the lanes of a register are cells. Their quantities stand in panels of P cells, zeros behind the last cell.
#pragma once

#include "memory.hpp"
#include "multiply.hpp"
#include "step.hpp"

namespace TIMING_TASKS_ISA {

// What the two passes have in common: sizes, and the weights of a replica in the order in which they are read.
template <class T, int W>
class Cells {
protected:
    explicit Cells(const Layer<T>& layer)
        : l(layer), H(l.hidden), I(l.inputs), P(timing_tasks::panel<T>(H)), panels((H + P - 1) / P), HP(panels * P), peepholes_(3 * HP) {}

    const Layer<T>& l;
    const std::int64_t H, I, P, panels, HP;

    // Where a row of the batch stands at a step; h_before is the state that the step sees.
    const T* x(std::int64_t t, std::int64_t r, std::int64_t n) const { return l.x + place(t, r, n, I); }
    T* h(std::int64_t t, std::int64_t r, std::int64_t n) const { return l.out + place(t, r, n, H); }
    const T* h_before(std::int64_t t, std::int64_t r, std::int64_t n) const {
        return t ? h(t - 1, r, n) : l.h0 + (r * l.batch + n) * H;
    }
    std::int64_t h_before_stride(std::int64_t t) const { return t ? l.row_stride(H) : H; }
    std::int64_t place(std::int64_t t, std::int64_t r, std::int64_t n, std::int64_t features) const {
        return r * l.steps * l.batch * features + t * l.time_stride(features) + n * l.row_stride(features);
    }
    T* tape(std::int64_t t, std::int64_t r, std::int64_t n) const {
        return l.tape + ((r * l.steps + t) * l.batch + n) * timing_tasks::KEPT * HP;
    }

    void take_peepholes(std::int64_t r) {
        for (std::int64_t p = 0; p < 3; ++p)
            for (std::int64_t j = 0; j < H; ++j) peepholes_[p * HP + j] = l.peephole ? l.peephole[(r * 3 + p) * H + j] : T(0);
    }
    TIMING_TASKS_INLINE Peepholes<T, W> peepholes(std::int64_t j) const {
        return {load<W>(peepholes_ + j), load<W>(peepholes_ + HP + j), load<W>(peepholes_ + 2 * HP + j)};
    }

    // Calls use(j, lanes) for each register of cells, panel by panel.
    template <class Use>
    TIMING_TASKS_INLINE void each_register(const Use& use) const {
        for (std::int64_t panel = 0; panel < panels; ++panel)
            for (std::int64_t lane = 0; lane < P; lane += W) use(panel, lane);
    }

private:
    Buffer<T> peepholes_;
};

template <class T, int W>
class CellsForward : Cells<T, W> {
    using Base = Cells<T, W>;
    using Base::H, Base::HP, Base::I, Base::l, Base::P, Base::panels;
    using V = Vector<T, W>;

public:
    explicit CellsForward(const Layer<T>& layer) : Base(layer), weights_(panels * (1 + I + H) * 4 * P), c_(l.batch * HP), net_(l.batch * 4 * W) {}

    // The rows of a replica, from `begin` to `end`.
    void run(std::int64_t r, std::int64_t begin, std::int64_t end) {
        if (r != replica_) take_weights(r);
        for (std::int64_t n = begin; n < end; ++n)
            std::copy_n(l.c0 + (r * l.batch + n) * H, H, c_ + n * HP);
        for (std::int64_t t = 0; t < l.steps; ++t)
            this->each_register([&](std::int64_t panel, std::int64_t lane) {
                in_blocks<ROWS_AT_ONCE>(end - begin, [&](std::int64_t n, auto rows) { add_up<rows.value>(t, r, begin + n, panel, lane); });
                step(t, r, begin, end, panel * P + lane);
            });
        for (std::int64_t n = begin; n < end; ++n) {
            std::copy_n(this->h_before(l.steps, r, n), H, l.h_last + (r * l.batch + n) * H);
            std::copy_n(c_ + n * HP, H, l.c_last + (r * l.batch + n) * H);
        }
    }

private:
    // The net inputs of one register of cells for some rows of the batch, without the peepholes' part, as [row][gate]. (Not inlined:
    // the registers would go to the constants of the exponential functions.)
    template <int ROWS>
    __attribute__((noinline)) void add_up(std::int64_t t, std::int64_t r, std::int64_t n, std::int64_t panel, std::int64_t lane) {
        const T* const w = weights_ + panel * (1 + I + H) * 4 * P + lane;
        V net[4][ROWS];
#pragma GCC unroll 8
        for (int gate = 0; gate < 4; ++gate)
#pragma GCC unroll 8
            for (int m = 0; m < ROWS; ++m) net[gate][m] = load<W>(w + gate * P);
        multiply<4, ROWS, W>(net, this->x(t, r, n), l.row_stride(I), 1, w + 4 * P, P, 4 * P, I);
        multiply<4, ROWS, W>(net, this->h_before(t, r, n), this->h_before_stride(t), 1, w + (1 + I) * 4 * P, P, 4 * P, H);
#pragma GCC unroll 8
        for (int m = 0; m < ROWS; ++m)
#pragma GCC unroll 8
            for (int gate = 0; gate < 4; ++gate) store<W>(net_ + ((n + m) * 4 + gate) * W, net[gate][m]);
    }

    // The step of the cells from j on.
    __attribute__((noinline)) void step(std::int64_t t, std::int64_t r, std::int64_t begin, std::int64_t end, std::int64_t j) {
        const Peepholes<T, W> peepholes = this->peepholes(j);
        for (std::int64_t n = begin; n < end; ++n) {
            V net[4];
            for (int gate = 0; gate < 4; ++gate) net[gate] = load<W>(net_ + (n * 4 + gate) * W);
            const Kept<T, W> kept = step_forward<T, W>(net, load<W>(c_ + n * HP + j), peepholes, l.cell_input, l.cell_output);
            store<W>(c_ + n * HP + j, kept.c);
            store_some<W>(this->h(t, r, n) + j, kept.o * kept.squashed, H - j);
            if (l.tape) kept.store_to(this->tape(t, r, n) + j, HP);
        }
    }

    // As [panel][bias, inputs, units][gate][cell].
    void take_weights(std::int64_t r) {
        replica_ = r;
        this->take_peepholes(r);
        for (std::int64_t gate = 0; gate < 4; ++gate)
            for (std::int64_t j = 0; j < H; ++j) {
                const std::int64_t row = (r * 4 + gate) * H + j;
                T* to = weights_ + j / P * (1 + I + H) * 4 * P + gate * P + j % P;
                *to = l.bias ? l.bias[row] : T(0);
                for (std::int64_t i = 0; i < I; ++i) *(to += 4 * P) = l.weight_ih[row * I + i];
                for (std::int64_t k = 0; k < H; ++k) *(to += 4 * P) = l.weight_hh[row * H + k];
            }
    }

    Buffer<T> weights_, c_, net_;
    std::int64_t replica_ = -1;
};

}  // namespace TIMING_TASKS_ISA
