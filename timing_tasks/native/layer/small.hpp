// Layers of few cells: the lanes of a register are rows of the batch, of one replica or several, each with its weights in its lane.
#pragma once

#include "memory.hpp"
#include "step.hpp"

#include <utility>
#include <vector>

namespace TIMING_TASKS_ISA {

// Runs one block of lanes after the other. Quantities stand as [.., LANES] in working memory.
template <class T>
class Small {
    static constexpr std::int64_t L = timing_tasks::LANES<T>;
    static constexpr int W = REGISTER / sizeof(T);
    using V = Vector<T, W>;

public:
    explicit Small(const Layer<T>& layer)
        : l(layer), blocks_(l.replicas, l.batch), H(l.hidden), I(l.inputs), weights_(H * of_a_cell() * L), sums_(H * of_a_cell() * L),
          x_(I * L), dx_(I * L), h_(H * L), h_new_(H * L), c_(H * L), dh_(H * L), dc_(H * L), dout_(H * L), dnet_(4 * H * L) {}

    void forward(std::int64_t block) {
        start(block);
        gather(h_, l.h0, &Lane::state, 0, H);
        gather(c_, l.c0, &Lane::state, 0, H);
        T *h = h_new_, *h_before = h_;
        for (std::int64_t t = 0; t < l.steps; ++t) {
            gather(x_, l.x, &Lane::x, t * l.time_stride(I), I);
            for (std::int64_t j = 0; j < H; ++j)
                for (std::int64_t b = 0; b < L; b += W) {
                    const T* w = weights_ + j * of_a_cell() * L + b;
                    V net[4];
                    for (int gate = 0; gate < 4; ++gate, w += L) net[gate] = load<W>(w);
                    const auto add = [&](const T* from, std::int64_t count) {
                        for (std::int64_t k = 0; k < count; ++k)
                            for (int gate = 0; gate < 4; ++gate, w += L)
                                net[gate] = fused<T, W>(load<W>(w), load<W>(from + k * L + b), net[gate]);
                    };
                    add(x_, I);
                    add(h_before, H);
                    const Kept<T, W> kept = step_forward<T, W>(net, load<W>(c_ + j * L + b), peepholes(w), l.cell_input, l.cell_output);
                    store<W>(c_ + j * L + b, kept.c);
                    store<W>(h + j * L + b, kept.o * kept.squashed);
                    if (l.tape) kept.store_to(tape(block, t) + j * L + b, H * L);
                }
            scatter(l.out, h, &Lane::h, t * l.time_stride(H), H);
            std::swap(h, h_before);
        }
        scatter(l.h_last, h_before, &Lane::state, 0, H);
        scatter(l.c_last, c_, &Lane::state, 0, H);
    }

    void backward(std::int64_t block, const SharedGradients<T>& gradients) {
        start(block);
        sums_.clear();
        gather(dh_, l.dh_last, &Lane::state, 0, H);
        gather(dc_, l.dc_last, &Lane::state, 0, H);
        for (std::int64_t t = l.steps; t-- > 0;) {
            gather(x_, l.x, &Lane::x, t * l.time_stride(I), I);
            gather(dout_, l.dout, &Lane::h, t * l.time_stride(H), H);
            if (t == 0) {
                gather(h_, l.h0, &Lane::state, 0, H);
                gather(c_, l.c0, &Lane::state, 0, H);
            } else {
                const T* const before = tape(block, t - 1);
                for (std::int64_t k = 0; k < H * L; k += W) {
                    const auto kept = Kept<T, W>::load_from(before + k, H * L);
                    store<W>(h_ + k, kept.o * kept.squashed);
                    store<W>(c_ + k, kept.c);
                }
            }
            const Cut cut{l.truncated, l.truncated && t > 0};
            for (std::int64_t j = 0; j < H; ++j)
                for (std::int64_t b = 0; b < L; b += W) cell_backward(j, b, tape(block, t), cut);
            for (std::int64_t b = 0; b < L; b += W) {
                for (std::int64_t k = 0; k < H; ++k) store<W>(dh_ + k * L + b, cut.before ? V{} : error_of(1 + I + k, b));
                for (std::int64_t i = 0; l.dx && i < I; ++i) store<W>(dx_ + i * L + b, error_of(1 + i, b));
            }
            scatter(l.dx, dx_, &Lane::x, t * l.time_stride(I), I);
        }
        scatter(l.dh0, dh_, &Lane::state, 0, H);
        scatter(l.dc0, dc_, &Lane::state, 0, H);
        for (std::int64_t first = 0; first < static_cast<std::int64_t>(lanes_.size()); first += rows_) give(first, gradients);
    }

private:
    struct Lane {
        std::int64_t replica, part, x, h, state;  // the last three: where its numbers begin
    };

    // A cell's weights, and the sums of their gradients: 4 for each of bias, inputs and units, and 3 peepholes.
    std::int64_t of_a_cell() const { return 4 * (1 + I + H) + 3; }
    T* tape(std::int64_t block, std::int64_t t) const { return l.tape + (block * l.steps + t) * timing_tasks::KEPT * H * L; }

    Peepholes<T, W> peepholes(const T* w) const { return {load<W>(w), load<W>(w + L), load<W>(w + 2 * L)}; }

    // The lanes of a block, and their weights. Lanes without a row have zeros throughout.
    void start(std::int64_t block) {
        const std::int64_t part = block % blocks_.parts, first = block / blocks_.parts * blocks_.replicas;
        const std::int64_t replicas = std::min(blocks_.replicas, l.replicas - first), row = part * L;
        rows_ = std::min(L, l.batch - row);
        lanes_.clear();
        for (std::int64_t r = first; r < first + replicas; ++r)
            for (std::int64_t n = row; n < row + rows_; ++n)
                lanes_.push_back({r, part, r * l.steps * l.batch * I + n * l.row_stride(I),
                                  r * l.steps * l.batch * H + n * l.row_stride(H), (r * l.batch + n) * H});
        for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
            const std::int64_t r = lanes_[lane].replica;
            each_weight([&](std::int64_t place, std::int64_t bias, std::int64_t ih, std::int64_t hh, std::int64_t peephole) {
                T& to = weights_[place * L + lane];
                if (bias >= 0) to = l.bias ? l.bias[r * 4 * H + bias] : T(0);
                else if (ih >= 0) to = l.weight_ih[r * 4 * H * I + ih];
                else if (hh >= 0) to = l.weight_hh[r * 4 * H * H + hh];
                else to = l.peephole ? l.peephole[r * 3 * H + peephole] : T(0);
            });
        }
    }

    // Calls `use` for each weight with its place in working memory and in the one array to which it belongs; -1 for the others.
    template <class Use>
    void each_weight(Use use) const {
        std::int64_t place = 0;
        for (std::int64_t j = 0; j < H; ++j) {
            for (std::int64_t gate = 0; gate < 4; ++gate) use(place++, gate * H + j, -1, -1, -1);
            for (std::int64_t i = 0; i < I; ++i)
                for (std::int64_t gate = 0; gate < 4; ++gate) use(place++, -1, (gate * H + j) * I + i, -1, -1);
            for (std::int64_t k = 0; k < H; ++k)
                for (std::int64_t gate = 0; gate < 4; ++gate) use(place++, -1, -1, (gate * H + j) * H + k, -1);
            for (std::int64_t peephole = 0; peephole < 3; ++peephole) use(place++, -1, -1, -1, peephole * H + j);
        }
    }

    // From an array into the lanes, and back; no array: zeros, and nothing.
    void gather(T* to, const T* from, std::int64_t Lane::*begin, std::int64_t offset, std::int64_t count) const {
        if (!from) return void(std::fill_n(to, count * L, T(0)));
        for (std::size_t lane = 0; lane < lanes_.size(); ++lane)
            for (std::int64_t k = 0; k < count; ++k) to[k * L + lane] = from[lanes_[lane].*begin + offset + k];
    }
    void scatter(T* to, const T* from, std::int64_t Lane::*begin, std::int64_t offset, std::int64_t count) const {
        if (!to) return;
        for (std::size_t lane = 0; lane < lanes_.size(); ++lane)
            for (std::int64_t k = 0; k < count; ++k) to[lanes_[lane].*begin + offset + k] = from[k * L + lane];
    }

    void cell_backward(std::int64_t j, std::int64_t b, const T* tape, Cut cut) {
        const std::int64_t here = j * L + b;
        const T* const w = weights_ + j * of_a_cell() * L + b;
        const V c_before = load<W>(c_ + here), dh = load<W>(dh_ + here) + load<W>(dout_ + here);
        const auto kept = Kept<T, W>::load_from(tape + here, H * L);
        V dc = load<W>(dc_ + here), dnet[4];
        step_backward<T, W>(kept, c_before, peepholes(w + (of_a_cell() - 3) * L), l.cell_input, l.cell_output, cut, dh, dc, dnet);
        store<W>(dc_ + here, dc);
        T* sum = sums_ + j * of_a_cell() * L + b;
        const auto add = [&](V value) {
            for (int gate = 0; gate < 4; ++gate, sum += L) store<W>(sum, fused<T, W>(dnet[gate], value, load<W>(sum)));
        };
        add(filled<W>(T(1)));
        for (std::int64_t i = 0; i < I; ++i) add(load<W>(x_ + i * L + b));
        for (std::int64_t k = 0; k < H; ++k) add(load<W>(h_ + k * L + b));
        store<W>(sum, fused<T, W>(dnet[0], c_before, load<W>(sum)));
        store<W>(sum + L, fused<T, W>(dnet[1], c_before, load<W>(sum + L)));
        store<W>(sum + 2 * L, fused<T, W>(dnet[3], kept.c, load<W>(sum + 2 * L)));
        for (int gate = 0; gate < 4; ++gate) store<W>(dnet_ + (gate * H + j) * L + b, dnet[gate]);
    }

    // The error of an input or unit, the `place`th of what a cell has weights for.
    V error_of(std::int64_t place, std::int64_t b) const {
        V sum{};
        for (std::int64_t gate = 0; gate < 4; ++gate)
            for (std::int64_t j = 0; j < H; ++j)
                sum = fused<T, W>(load<W>(dnet_ + (gate * H + j) * L + b), load<W>(weights_ + (j * of_a_cell() + 4 * place + gate) * L + b), sum);
        return sum;
    }

    // The gradients of the replica that begins at a lane: its rows added up in order.
    void give(std::int64_t first, const SharedGradients<T>& gradients) const {
        const Gradients<T> to = gradients.of(lanes_[first].replica, lanes_[first].part);
        each_weight([&](std::int64_t place, std::int64_t bias, std::int64_t ih, std::int64_t hh, std::int64_t peephole) {
            T sum = 0;
            for (std::int64_t lane = first; lane < first + rows_; ++lane) sum += sums_[place * L + lane];
            if (ih >= 0) to.ih[ih] = sum;
            else if (hh >= 0) to.hh[hh] = sum;
            else if (bias >= 0 && to.bias) to.bias[bias] = sum;
            else if (peephole >= 0 && to.peephole) to.peephole[peephole] = sum;
        });
    }

    const Layer<T>& l;
    const timing_tasks::Blocks<T> blocks_;
    const std::int64_t H, I;
    Buffer<T> weights_, sums_, x_, dx_, h_, h_new_, c_, dh_, dc_, dout_, dnet_;
    std::vector<Lane> lanes_;
    std::int64_t rows_ = 0;  // of each replica in the block
};

}  // namespace TIMING_TASKS_ISA
