package agents

import (
	"cmp"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/call"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// Agent returns the agent of a key now; nil for none.
func (m *Machine) Agent(key string) *pbxv1.AgentStatus {
	tenant, id := cut(key)
	if t := m.tenants[tenant]; t != nil && t.agents[id] != nil {
		return m.status(t.agents[id])
	}
	return nil
}

// cut splits a key: a tenant's name has no dot, and neither has an id.
func cut(key string) (tenant, id string) {
	for i := range len(key) {
		if key[i] == '.' {
			return key[:i], key[i+1:]
		}
	}
	return "", ""
}

func (m *Machine) status(a *agent) *pbxv1.AgentStatus {
	s := &pbxv1.AgentStatus{
		User: a.user(), Extensions: slices.Clone(a.extensions), Queues: a.word.now().queues(), State: a.now.state,
		PauseReason: a.now.reason, Tenant: a.tenant.name, Id: a.id, Name: a.name, Direction: a.now.direction,
	}
	if since := a.since(m.clock); !since.IsZero() {
		s.Since = timestamppb.New(since)
	}
	if a.now.call != nil && a.now.state != pbxv1.AgentState_WRAP_UP {
		s.CallKey = a.now.call.Key
	}
	return s
}

// Agents returns the agents of a tenant that a query asks for, with all of the tenant's conflicts.
func (m *Machine) Agents(q *pbxv1.AgentListRequest) *pbxv1.AgentListResponse {
	t := m.tenants[q.GetTenant()]
	if t == nil {
		return &pbxv1.AgentListResponse{}
	}
	list := &pbxv1.AgentListResponse{Conflicts: slices.Clone(t.conflicts)}
	for _, a := range t.agents {
		if len(q.GetStates()) > 0 && !slices.Contains(q.GetStates(), a.now.state) {
			continue
		}
		if s := m.status(a); q.GetQueue() == "" || slices.Contains(s.GetQueues(), q.GetQueue()) {
			list.Agents = append(list.Agents, s)
		}
	}
	slices.SortFunc(list.Agents, func(x, y *pbxv1.AgentStatus) int {
		return cmp.Or(
			cmp.Compare(x.GetUser().GetLogin(), y.GetUser().GetLogin()),
			cmp.Compare(x.GetUser().GetEmail(), y.GetUser().GetEmail()),
			slices.Compare(x.GetExtensions(), y.GetExtensions()), cmp.Compare(x.GetId(), y.GetId()),
		)
	})
	return list
}

// Find returns the agent with that id, login, e-mail address or extension, in this order; nil for nobody. Case does not count.
func (m *Machine) Find(tenant, name string) *pbxv1.AgentStatus {
	t := m.tenants[tenant]
	if t == nil || name == "" {
		return nil
	}
	a := cmp.Or(t.agents[name], t.logins[fold(name)], t.emails[fold(name)])
	if p := t.phones[name]; a == nil && p != nil {
		a = p.owner
	}
	if a == nil {
		return nil
	}
	return m.status(a)
}

// Call returns the call of a key now; nil when it is over, or there is none.
func (m *Machine) Call(key string) *pbxv1.CallStatus {
	r := m.keys[key]
	if r == nil || !r.call.Open() {
		return nil
	}
	return r.status()
}

// Calls returns the calls of a tenant that go on and that a query asks for.
func (m *Machine) Calls(q *pbxv1.CallListRequest) *pbxv1.CallListResponse {
	list := &pbxv1.CallListResponse{}
	if t := m.tenants[q.GetTenant()]; t != nil {
		for r := range t.open {
			if q.GetQueue() == "" || q.GetQueue() == r.call.Queue {
				list.Calls = append(list.Calls, r.status())
			}
		}
	}
	slices.SortFunc(list.Calls, func(x, y *pbxv1.CallStatus) int {
		return cmp.Or(x.GetStartedAt().AsTime().Compare(y.GetStartedAt().AsTime()), cmp.Compare(x.GetId(), y.GetId()))
	})
	return list
}

func (r *record) status() *pbxv1.CallStatus {
	c := r.call
	s := &pbxv1.CallStatus{
		Vendor: c.Vendor, Exchange: c.Exchange, Tenant: c.Tenant, Id: c.ID, StartedAt: timestamppb.New(c.Began),
		Call: &pbxv1.Call{
			Kind: pbxv1.Call_NEW, Id: c.VendorID, Key: c.Key, Direction: c.Direction, From: c.From, To: c.To, Queue: c.Queue,
		},
	}
	for i := range c.Legs {
		leg := &c.Legs[i]
		if _, ok := openLeg(c, leg); !ok {
			continue
		}
		talks := false
		switch leg.Spans[len(leg.Spans)-1].Kind {
		case call.Ringing:
			s.Ringing = with(s.Ringing, leg.Extension)
			s.Call.Kind = pbxv1.Call_RINGING
		case call.Talking:
			s.Talking = with(s.Talking, leg.Extension)
			talks = true
		}
		if talks || len(s.Talking) == 0 {
			s.Call.Extension, s.Call.User = leg.Extension, leg.User
		}
	}
	if r.contact != nil && r.contact.GetParty().GetE164() == c.Outside().GetE164() {
		s.Contact = proto.CloneOf(r.contact.GetMatch())
	}
	if !c.Answered.IsZero() {
		s.AnsweredAt = timestamppb.New(c.Answered)
		s.Call.Kind = pbxv1.Call_ANSWERED
	}
	return s
}

// Restore takes what was known of an agent from before the stream's first event: names, logins and a pause. What else the
// agent did then is over by now. It must be called before the first Apply. Who is known already is left as they are.
func (m *Machine) Restore(s *pbxv1.AgentStatus) {
	t := m.tenant(s.GetTenant())
	since := s.GetSince().AsTime() // absent if nothing was told of the agent yet
	a := t.agents[s.GetId()]
	if a == nil {
		a = cmp.Or(t.logins[fold(s.GetUser().GetLogin())], t.emails[fold(s.GetUser().GetEmail())])
	}
	if a == nil && s.GetId() != "" {
		a = newAgent(t, s.GetId())
		t.agents[a.id] = a
	}
	if a == nil || a.heard {
		return
	}
	a.heard = s.GetSince() != nil
	m.restoreNames(a, s)
	for _, e := range remembered(s, since) {
		a.word.hear(e)
	}
	a.now = situation{activity: a.word.last()}
	if a.heard {
		a.now.since = since
	}
	m.touchAgent(a)
}

// restoreNames leaves out those that belong to somebody by now.
func (m *Machine) restoreNames(a *agent, s *pbxv1.AgentStatus) {
	t := a.tenant
	login, email := s.GetUser().GetLogin(), s.GetUser().GetEmail()
	if t.logins[fold(login)] != nil {
		login = ""
	}
	if t.emails[fold(email)] != nil {
		email = ""
	}
	m.name(a, login, email)
	for _, extension := range s.GetExtensions() {
		if t.phones[extension] == nil {
			t.phones[extension] = &phone{owner: a}
			a.extensions = with(a.extensions, extension)
		}
	}
}

// remembered returns what must have been said for an agent to be in that state, and in those queues.
func remembered(s *pbxv1.AgentStatus, since time.Time) []told {
	queues, kind := s.GetQueues(), pbxv1.Agent_LOGIN
	switch s.GetState() {
	case pbxv1.AgentState_PAUSED:
		kind = pbxv1.Agent_PAUSED
	case pbxv1.AgentState_LOGGED_OUT:
		kind, queues = pbxv1.Agent_LOGOUT, nil
	case pbxv1.AgentState_AVAILABLE:
	default:
		if len(queues) == 0 {
			return nil
		}
	}
	if len(queues) == 0 {
		queues = []string{""}
	}
	var all []told
	for i, queue := range queues {
		all = append(all, told{at: since, sequence: uint64(i), kind: kind, queue: queue, reason: s.GetPauseReason()})
	}
	return all
}
