// Working memory, and the gradients of the weights, which several tasks may share out.
#pragma once

#include "layer.hpp"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>

namespace TIMING_TASKS_ISA {

using timing_tasks::Layer;

// Numbers in whole cache lines. They are zeros at first.
template <class T>
class Buffer {
public:
    explicit Buffer(std::int64_t size)
        : numbers_(static_cast<T*>(::operator new[](static_cast<std::size_t>(size) * sizeof(T), LINE))), size_(size) {
        clear();
    }
    void clear() { std::fill_n(numbers_.get(), size_, T(0)); }
    operator T*() const { return numbers_.get(); }

private:
    static constexpr std::align_val_t LINE{64};
    struct Delete {
        void operator()(T* numbers) const { ::operator delete[](numbers, LINE); }
    };
    std::unique_ptr<T[], Delete> numbers_;
    std::int64_t size_;
};

// Where the gradients of a replica's weights are written; bias and peephole may be none.
template <class T>
struct Gradients {
    T *ih, *hh, *bias, *peephole;
};

// A replica's rows may be dealt to several tasks, `parts` of them. Each writes its own sums, which are then added up in order: the
// result depends on the number of rows alone, not on who computed which.
template <class T>
class SharedGradients {
public:
    SharedGradients(const Layer<T>& layer, std::int64_t parts)
        : l(layer), parts_(parts), ih_(4 * l.hidden * l.inputs), hh_(4 * l.hidden * l.hidden), size_(ih_ + hh_ + 7 * l.hidden),
          sums_(parts > 1 ? l.replicas * parts * size_ : 0) {}

    Gradients<T> of(std::int64_t replica, std::int64_t part) const {
        if (parts_ == 1) return final(replica);
        T* const here = sums_ + (replica * parts_ + part) * size_;
        return {here, here + ih_, here + ih_ + hh_, here + ih_ + hh_ + 4 * l.hidden};
    }

    void add_up() const {
        if (parts_ == 1) return;
        for (std::int64_t r = 0; r < l.replicas; ++r) {
            const Gradients<T> to = final(r);
            for (std::int64_t part = 0; part < parts_; ++part) {
                const Gradients<T> from = of(r, part);
                add(to.ih, from.ih, ih_, part);
                add(to.hh, from.hh, hh_, part);
                add(to.bias, from.bias, 4 * l.hidden, part);
                add(to.peephole, from.peephole, 3 * l.hidden, part);
            }
        }
    }

private:
    Gradients<T> final(std::int64_t r) const {
        return {l.dweight_ih + r * ih_, l.dweight_hh + r * hh_, l.dbias ? l.dbias + r * 4 * l.hidden : nullptr,
                l.dpeephole ? l.dpeephole + r * 3 * l.hidden : nullptr};
    }
    static void add(T* to, const T* from, std::int64_t count, std::int64_t part) {
        if (!to) return;
        if (part == 0) std::copy_n(from, count, to);
        else for (std::int64_t k = 0; k < count; ++k) to[k] += from[k];
    }

    const Layer<T>& l;
    std::int64_t parts_, ih_, hh_, size_;
    Buffer<T> sums_;
};

}  // namespace TIMING_TASKS_ISA
