package live

import (
	"slices"
	"sync"
	"time"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/event"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/web-gateway/sockets"
	"github.com/switchhook/switchhook/services/web-gateway/tokens"
)

// verifier lets sockets believe the tokens that the API makes.
type verifier struct{ keys *tokens.Keyring }

// Verify implements sockets.Verifier.
func (v verifier) Verify(token string) (sockets.Claims, error) {
	c, err := v.keys.Verify(time.Now(), tokens.Access, token)
	if err != nil {
		return sockets.Claims{}, err
	}
	claims := sockets.Claims{Tenant: c.Tenant, IdentityType: c.Type, IdentityValue: c.Value, Expires: c.Expires}
	for _, r := range c.Rights {
		claims.Rights = append(claims.Rights, string(r))
	}
	return claims, nil
}

// Find implements sockets.People.
func (g *Gateway) Find(tenant, identityType, identityValue string) (sockets.Person, error) {
	var people []config.Person
	if t := g.settings.Load().Tenant(tenant); t != nil {
		people = t.Agents.People
	}
	p, err := tokens.Find(tokens.Identity{Tenant: tenant, Type: identityType, Value: identityValue}, people, slices.Values(g.roster.agents()))
	return sockets.Person{Login: p.Login, Email: p.Email, Lines: p.Lines}, err
}

// roster is who agent-state knows, copied once for each change and not for each page: after a restart all pages ask at once.
type roster struct {
	table *bus.Table[*pbxv1.AgentStatus]

	mu      sync.Mutex
	changed <-chan struct{} // closed once all is of the past; nil at first
	all     []*pbxv1.AgentStatus
}

// agents returns all agents of all tenants, in no order. Nobody may change them.
func (r *roster) agents() []*pbxv1.AgentStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.changed != nil {
		select {
		case <-r.changed:
		default:
			return r.all
		}
	}
	r.changed = r.table.Changed() // before the rows, so that no change falls between
	rows := r.table.Rows()
	r.all = make([]*pbxv1.AgentStatus, 0, len(rows))
	for _, row := range rows {
		r.all = append(r.all, row.Value)
	}
	return r.all
}

// AnyOrigin implements sockets.Origins.
func (g *Gateway) AnyOrigin(origin string) bool { return g.settings.Load().AnyOrigin(origin) }

// Allows implements sockets.Origins.
func (g *Gateway) Allows(tenant, origin string) bool {
	return g.settings.Load().Tenant(tenant).Allows(origin)
}

// exchanges returns the exchanges of a tenant.
func (g *Gateway) exchanges(tenant string) (all []event.Origin) {
	for _, t := range g.config.Load().Tenants {
		if t.Name != tenant {
			continue
		}
		for _, e := range t.Exchanges {
			all = append(all, e.Origin())
		}
	}
	return all
}
