package live

import (
	"context"
	"sync/atomic"

	"github.com/switchhook/switchhook/pkg/notify"
)

// tokens are where tokens for SMS come from; that changes with the configuration.
type tokens struct {
	source atomic.Pointer[notify.TokenSource]
}

func (t *tokens) use(source notify.TokenSource) { t.source.Store(&source) }

func (t *tokens) get(ctx context.Context, tenant, exchange, refused string) (string, error) {
	return (*t.source.Load())(ctx, tenant, exchange, refused)
}
