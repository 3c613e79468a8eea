#include "plan/explore.h"

#include "plan/advise.h"

void explore_advise(struct arena *a, struct explored *e, struct loader *ld, const struct val *site, const struct val *run) {
    if (!e->nfails)
        return;
    struct advisor *advisor = advise_load_heads(ld);
    for (size_t i = 0; i < e->nfails; i++) {
        struct explore_fail *f = &e->fails[i];
        size_t same = 0; /* states are kept once, so many failures share one */
        while (same < i && e->fails[same].after != f->after)
            same++;
        if (same < i) {
            f->runbooks = e->fails[same].runbooks;
            f->nrunbooks = e->fails[same].nrunbooks;
            continue;
        }
        const struct advise_spec spec = {.state = f->after, .site = site, .run = run};
        f->nrunbooks = advise_names(a, advisor, &spec, &f->runbooks);
    }
}
