package sockets

import (
	"slices"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/services/web-gateway/frames"
)

// session is what an accepted token allows. It is never changed: a renewed token makes another.
type session struct {
	Claims
	person Person
	viewer frames.Viewer
}

func (in *session) may(right string) bool { return slices.Contains(in.Rights, right) }

func (in *session) response() frames.AuthResponse {
	return frames.AuthResponse{
		Event: "authresponse", OK: true, Lines: in.viewer.Lines, Rights: in.Rights,
		Expires: in.Expires.UTC().Format(time.RFC3339),
	}
}

// refusal is why a socket is closed.
type refusal struct {
	code   int
	reason string
}

// authenticate lets a client in, or renews what it is allowed to.
func (c *socket) authenticate(before *session, r *frames.Request) {
	in, refused := c.server.admit(c.origin, before, r)
	if refused != nil {
		c.server.Log.Info("page refused", "tenant", in.Tenant, "code", refused.code, "reason", refused.reason)
		c.shut(refused.code, refused.reason, frames.Encode(frames.AuthResponse{Event: "authresponse", Reason: refused.reason}))
		return
	}
	c.mu.Lock()
	c.session = in
	c.timer.Reset(min(pingEvery, time.Until(in.Expires)))
	c.mu.Unlock()
	if before == nil {
		c.server.reach(r.Last)
	}
	c.server.join(c, in, r.Last, int(min(r.Had, frames.WindowFrames)))
}

// admit returns what a token allows. The session is never nil; with a refusal it has what is known of the token.
func (s *Server) admit(origin string, before *session, r *frames.Request) (*session, *refusal) {
	in := &session{}
	claims, err := s.Verifier.Verify(r.Token)
	switch {
	case fault.Is(err, fault.Unavailable):
		return in, &refusal{int(websocket.StatusTryAgainLater), "tokens cannot be verified now"}
	case err != nil || !time.Now().Before(claims.Expires):
		return in, &refusal{frames.CloseToken, "the token was refused"}
	}
	in.Claims = claims
	switch {
	case r.IdentityType != claims.IdentityType || !strings.EqualFold(r.IdentityValue, claims.IdentityValue):
		return in, &refusal{frames.CloseDenied, "the token is not for this identity"}
	case origin != "" && !s.Origins.Allows(claims.Tenant, origin):
		return in, &refusal{frames.CloseDenied, "the page is not of an origin of the tenant"}
	case !in.may(rightCalls) && !in.may(rightCommands):
		return in, &refusal{frames.CloseDenied, "the token allows neither calls nor commands"}
	case before != nil && !sameIdentity(before.Claims, claims):
		return in, &refusal{frames.CloseDenied, "the socket is another identity's"}
	}
	in.person, err = s.People.Find(claims.Tenant, claims.IdentityType, claims.IdentityValue)
	switch {
	case fault.Is(err, fault.NotFound), fault.Is(err, fault.Invalid):
		return in, &refusal{frames.CloseNoSuch, "no one has this identity"}
	case err != nil:
		return in, &refusal{int(websocket.StatusTryAgainLater), "people are not known yet"}
	}
	in.viewer = frames.Viewer{
		Tenant: claims.Tenant, Lines: slices.Compact(slices.Sorted(slices.Values(in.person.Lines))), Calls: in.may(rightCalls),
		Sender: frames.Sender(claims.Tenant, claims.IdentityType, claims.IdentityValue),
	}
	return in, nil
}

func sameIdentity(a, b Claims) bool {
	return a.Tenant == b.Tenant && a.IdentityType == b.IdentityType && strings.EqualFold(a.IdentityValue, b.IdentityValue)
}

func sameView(a, b frames.Viewer) bool {
	return a.Tenant == b.Tenant && a.Sender == b.Sender && a.Calls == b.Calls && slices.Equal(a.Lines, b.Lines)
}
