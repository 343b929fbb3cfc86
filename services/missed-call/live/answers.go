package live

import (
	"context"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/missed-call/missed"
)

// serve answers questions, and does what people want done about entries and alerts.
func (s *Service) serve() (execute func() error, interrupt func(error)) {
	return s.Bus.Serve(Name, "Knows which callers reached nobody, and takes what people do about it.",
		bus.Answer(event.QueryMissedCallList, s.list),
		bus.Answer(event.QueryMissedCallAct, s.act),
		bus.Answer(event.QueryMissedCallSilence, func(ctx context.Context, q *pbxv1.SilencePutRequest) (*pbxv1.SilencePutResponse, error) {
			stored, err := s.alerts.PutSilence(ctx, q.GetSilence())
			return &pbxv1.SilencePutResponse{Silence: stored}, err
		}),
		bus.Answer(event.QueryMissedCallSilences, func(_ context.Context, q *pbxv1.SilenceListRequest) (*pbxv1.SilenceListResponse, error) {
			return &pbxv1.SilenceListResponse{Silences: s.alerts.Silences(q.GetTenant())}, s.known(q.GetTenant())
		}),
	)
}

// known returns nil for a tenant that there is.
func (s *Service) known(tenant string) error {
	if err := s.Ready(); err != nil {
		return err
	}
	known := false
	s.replica.Do(func() { known = s.tenants[tenant] })
	if !known {
		return fault.New(fault.NotFound, "there is no tenant %q", tenant)
	}
	return nil
}

func (s *Service) list(_ context.Context, q *pbxv1.MissedCallListRequest) (list *pbxv1.MissedCallListResponse, err error) {
	if err := s.known(q.GetTenant()); err != nil {
		return nil, err
	}
	s.replica.Do(func() { list, err = s.ledger.Entries(q) })
	return list, err
}

// act does what a person wants done about an entry.
func (s *Service) act(ctx context.Context, q *pbxv1.MissedCallActRequest) (*pbxv1.MissedCallActResponse, error) {
	if err := s.known(q.GetTenant()); err != nil {
		return nil, err
	}
	action := missed.Action{
		Kind: kinds()[q.GetAction()], Tenant: q.GetTenant(), ID: q.GetId(), User: q.GetUser(), Note: q.GetNote(),
	}
	err := s.replica.Publish(ctx, q.GetTenant(), func() (*pbxv1.Event, error) { return s.ledger.Act(s.Now(), action) })
	if err != nil {
		return nil, err
	}
	answer := new(pbxv1.MissedCallActResponse)
	s.replica.Do(func() { answer.MissedCall = s.ledger.Entry(q.GetTenant() + "." + q.GetId()) })
	return answer, nil
}

func kinds() map[pbxv1.MissedCallActRequest_Action]missed.ActionKind {
	return map[pbxv1.MissedCallActRequest_Action]missed.ActionKind{
		pbxv1.MissedCallActRequest_CLAIM:   missed.Claim,
		pbxv1.MissedCallActRequest_RELEASE: missed.Release,
		pbxv1.MissedCallActRequest_RESOLVE: missed.Resolve,
	}
}
