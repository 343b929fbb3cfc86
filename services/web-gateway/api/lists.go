package api

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/web-gateway/tokens"
)

// message is a value of a bucket.
type message interface {
	comparable
	proto.Message
}

// rowsOf returns a tenant's rows by key.
func rowsOf[T message](table *bus.Table[T], tenant string) map[string]bus.Row[T] {
	rows := table.Rows()
	maps.DeleteFunc(rows, func(key string, row bus.Row[T]) bool { return tenantOf(key) != tenant || !isOf(tenant, row.Value) })
	return rows
}

// tenantOf returns whose a row is, by its key: tenants have no dot in their names, and what stands behind it is the tenant's.
func tenantOf(key string) string {
	tenant, _, _ := strings.Cut(key, ".")
	return tenant
}

// isOf reports whether a value does not say that it is another tenant's.
func isOf(tenant string, value any) bool {
	says, ok := value.(interface{ GetTenant() string })
	return !ok || says.GetTenant() == tenant
}

func (a *api) listAgents() operation {
	return operation{
		method: http.MethodGet, path: "/api/v1/agents", name: "listAgents", summary: "What each agent does now.",
		credential: access, right: tokens.Wallboard, answer: &pbxv1.AgentListResponse{},
		serve: func(r *request) (any, error) {
			if !a.Agents.Loaded() {
				return nil, notLoaded("agents")
			}
			list := &pbxv1.AgentListResponse{}
			for _, row := range rowsOf(a.Agents, r.tenant.Name) {
				list.Agents = append(list.Agents, row.Value)
			}
			slices.SortFunc(list.Agents, func(x, y *pbxv1.AgentStatus) int {
				return cmp.Or(
					cmp.Compare(x.GetUser().GetLogin(), y.GetUser().GetLogin()),
					cmp.Compare(x.GetUser().GetEmail(), y.GetUser().GetEmail()),
					slices.Compare(x.GetExtensions(), y.GetExtensions()), cmp.Compare(x.GetId(), y.GetId()),
				)
			})
			return list, nil
		},
	}
}

func (a *api) listCalls() operation {
	return operation{
		method: http.MethodGet, path: "/api/v1/calls", name: "listCalls", summary: "The calls that go on now, oldest first.",
		credential: access, right: tokens.Wallboard, answer: &pbxv1.CallListResponse{},
		serve: func(r *request) (any, error) {
			if !a.Calls.Loaded() {
				return nil, notLoaded("calls")
			}
			list := &pbxv1.CallListResponse{}
			for _, row := range rowsOf(a.Calls, r.tenant.Name) {
				list.Calls = append(list.Calls, row.Value)
			}
			slices.SortFunc(list.Calls, func(x, y *pbxv1.CallStatus) int {
				return cmp.Or(x.GetStartedAt().AsTime().Compare(y.GetStartedAt().AsTime()), cmp.Compare(x.GetId(), y.GetId()))
			})
			return list, nil
		},
	}
}

func (a *api) listMissedCalls() operation {
	return operation{
		method: http.MethodGet, path: "/api/v1/missed-calls", name: "listMissedCalls",
		summary:    "The missed calls that wait for somebody, oldest first.",
		credential: access, right: tokens.Wallboard, answer: &pbxv1.MissedCallListResponse{},
		refusals: []int{http.StatusBadRequest},
		query: []parameter{
			{"queue", "string", "", "Only those whose caller waited in this queue last."},
			{"resolved", "boolean", "", "Resolved ones too."},
		},
		serve: func(r *request) (any, error) {
			query := r.URL.Query()
			queue, resolved := query.Get("queue"), query.Get("resolved")
			if !slices.Contains([]string{"", "true", "false"}, resolved) {
				return nil, fault.New(fault.Invalid, "resolved: want true or false, have %q", resolved)
			}
			if !a.MissedCalls.Loaded() {
				return nil, notLoaded("missed calls")
			}
			list := &pbxv1.MissedCallListResponse{}
			for _, row := range rowsOf(a.MissedCalls, r.tenant.Name) {
				if (queue == "" || queue == row.Value.GetQueue()) && (resolved == "true" || isOpen(row.Value)) {
					list.MissedCalls = append(list.MissedCalls, row.Value)
				}
			}
			slices.SortFunc(list.MissedCalls, func(x, y *pbxv1.MissedCall) int {
				return cmp.Or(x.GetOpenedAt().AsTime().Compare(y.GetOpenedAt().AsTime()), cmp.Compare(x.GetId(), y.GetId()))
			})
			return list, nil
		},
	}
}

func isOpen(m *pbxv1.MissedCall) bool { return m.GetResolvedAt() == nil }

func (a *api) statistics() operation {
	return operation{
		method: http.MethodGet, path: "/api/v1/statistics", name: "statistics", summary: "The figures of a day.",
		credential: access, right: tokens.Wallboard, answer: &pbxv1.AgentStatisticsResponse{},
		refusals: []int{http.StatusBadRequest, http.StatusNotFound},
		query:    []parameter{{"day", "string", "date", "The day in the tenant's time zone; today unless given."}},
		serve: func(r *request) (any, error) {
			day := r.URL.Query().Get("day")
			if _, err := time.Parse(time.DateOnly, day); day != "" && err != nil {
				return nil, fault.New(fault.Invalid, "day: want one such as 2026-01-31, have %q", day)
			}
			answer := &pbxv1.AgentStatisticsResponse{}
			err := a.ask(r, event.QueryAgentStatistics, &pbxv1.AgentStatisticsRequest{Tenant: r.tenant.Name, Day: day}, answer)
			return answer, err
		},
	}
}

// note is what a person notes on a missed call.
type note struct {
	Note string `json:"note,omitempty"`
}

// act does something about a missed call, in the name of who the token stands for.
func (a *api) act(action, summary string) operation {
	kind := pbxv1.MissedCallActRequest_Action(pbxv1.MissedCallActRequest_Action_value[strings.ToUpper(action)])
	return operation{
		method: http.MethodPost, path: "/api/v1/missed-calls/{id}/" + action, name: action + "MissedCall", summary: summary,
		credential: access, right: tokens.Wallboard, body: note{}, answer: &pbxv1.MissedCall{},
		refusals: []int{http.StatusNotFound, http.StatusConflict},
		serve: func(r *request) (any, error) {
			noted, err := read[note](r)
			if err != nil {
				return nil, err
			}
			user, err := a.user(r)
			if err != nil {
				return nil, err
			}
			answer := &pbxv1.MissedCallActResponse{}
			err = a.ask(r, event.QueryMissedCallAct, &pbxv1.MissedCallActRequest{
				Tenant: r.tenant.Name, Id: r.PathValue("id"), Action: kind, User: user, Note: noted.Note,
			}, answer)
			return answer.GetMissedCall(), err
		},
	}
}

// user returns by which names who the token stands for acts. Who logged in to the page may be no agent.
func (a *api) user(r *request) (*pbxv1.User, error) {
	who, err := a.find(r.tenant, r.claims.Identity)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return nil, err
	}
	switch {
	case err == nil:
	case r.claims.Type == tokens.Login:
		who.Login = r.claims.Value
	case r.claims.Type == tokens.Email:
		who.Email = r.claims.Value
	}
	if who.Login == "" && who.Email == "" {
		return nil, refusal{
			status: http.StatusForbidden, detail: "Nobody with a login or an e-mail address is known at this line.",
		}
	}
	return event.User(who.Login, who.Email), nil
}

// quarantineList is what waits in the quarantine.
type quarantineList struct {
	Quarantined []quarantineEntry `json:"quarantined"`
}

type quarantineEntry struct {
	Sequence uint64                        `json:"seq"`
	At       time.Time                     `json:"at"`
	Message  protoJSON[*pbxv1.Quarantined] `json:"quarantined"`
}

const (
	// quarantineShown is how many of the newest are shown.
	quarantineShown = 200
	// quarantineAge is how old they are at most.
	quarantineAge = 7 * 24 * time.Hour
)

func (a *api) quarantine() operation {
	return operation{
		method: http.MethodGet, path: "/api/v1/quarantine", name: "quarantine",
		summary: "The newest of what could not be understood or processed in the last week, oldest first. Queries, bodies and data, " +
			"in which an exchange may have put a credential, are left out: see `pbxctl quarantine`.",
		credential: access, right: tokens.Events, answer: quarantineList{},
		serve: func(r *request) (any, error) {
			ctx, cancel := context.WithTimeout(r.Context(), askLimit)
			defer cancel()
			list := quarantineList{[]quarantineEntry{}}
			filter := bus.Filter{
				Subject: event.QuarantineRoot + ".*." + r.tenant.Name + ".>", Since: r.now.Add(-quarantineAge),
			}
			for stored, err := range a.Quarantine.Quarantined(ctx, filter) {
				switch {
				case fault.Is(err, fault.Invalid): // one that cannot be read; others can
					continue
				case fault.Is(err, fault.NotFound): // there is no quarantine yet
					return list, nil
				case err != nil:
					return nil, err
				case stored.Message.GetTenant() != r.tenant.Name:
					continue
				}
				if len(list.Quarantined) == quarantineShown {
					list.Quarantined = slices.Delete(list.Quarantined, 0, 1)
				}
				list.Quarantined = append(list.Quarantined, quarantineEntry{
					stored.Sequence, stored.At.UTC(), protoJSON[*pbxv1.Quarantined]{harmless(stored.Message)},
				})
			}
			if ctx.Err() != nil {
				return nil, fault.New(fault.Unavailable, "read the quarantine: %w", ctx.Err())
			}
			return list, nil
		},
	}
}

// harmless leaves out what may hold a credential. It changes what it is given.
func harmless(q *pbxv1.Quarantined) *pbxv1.Quarantined {
	if request := q.GetRequest(); request != nil {
		request.Query, request.Body = "", nil
	}
	if message := q.GetMessage(); message != nil {
		message.Data = nil
	}
	return q
}

// protoJSON is a message of the contract within an answer that is none.
type protoJSON[T proto.Message] struct{ value T }

// MarshalJSON writes it as the contract has it.
func (p protoJSON[T]) MarshalJSON() ([]byte, error) { return protojson.Marshal(p.value) }

func (p protoJSON[T]) descriptor() protoreflect.MessageDescriptor {
	return p.value.ProtoReflect().Descriptor()
}

var _ json.Marshaler = protoJSON[*pbxv1.Event]{}
