// The bare switch of Boost.Context: `switch_boost boost [SECONDS]`, as bench/switch.c.
#include "../micro.h"

#include <boost/context/detail/fcontext.hpp>

using namespace boost::context::detail;

static char stack[65536];

static void other(transfer_t from)
{
    for (;;)
        from = jump_fcontext(from.fctx, nullptr);
}

static void boost_switch(long count)
{
    transfer_t to = { make_fcontext(stack + sizeof stack, sizeof stack, other), nullptr };
    for (long i = 0; i < count; i += 2)
        to = jump_fcontext(to.fctx, nullptr);
}

int main(int argc, char **argv)
{
    static const micro_case cases[] = { { "boost", boost_switch }, { nullptr, nullptr } };
    return micro_main(cases, argc, argv);
}
