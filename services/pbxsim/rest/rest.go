// Package rest plays the sides of the vendors that take commands: token servers and REST interfaces, as their documents
// say, with the credentials and at the paths of the configuration file. What is asked for really happens: a call begins,
// ends or moves, and its webhooks are sent. It can be told to fail in every way that a client must bear.
//
// It reads requests by itself, and shares nothing with the code that makes them, so that a mistake there shows.
package rest

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/switchhook/switchhook/services/pbxsim/flow"
	"github.com/switchhook/switchhook/services/pbxsim/ledger"
	"github.com/switchhook/switchhook/services/pbxsim/sim"
)

// ByNumber is a value of Options.Answer.
const ByNumber = -1

// Options say how the exchanges behave. Shares are from 0 to 1. What goes wrong with a command depends only on Seed and on
// its number in the order in which commands come.
type Options struct {
	Seed     uint64
	Teams    int           // of each tenant whose people have phones, besides those of the configuration
	Lifetime time.Duration // of access tokens, at least a second; refresh tokens live longer
	Answer   float64       // share of calls that are answered, the others ring out; ByNumber: see flow.FateOf

	Slow       time.Duration // how late commands are answered, after they were carried out
	Fail       float64       // share of commands that are answered with 503 and not carried out
	Drop       float64       // share of commands whose connection is dropped instead of an answer, after they were carried out
	DropBefore float64       // the same, but they are not carried out
}

// Server is the REST interfaces of all exchanges. It is safe for concurrent use.
type Server struct {
	options Options
	sides   []side
	live    *sim.Live
	ledger  *ledger.Writer

	mu       sync.Mutex
	commands int64 // that came
}

// side is the interface of one vendor, for all its exchanges.
type side interface {
	// take reads a request, or is not ok if its path is not one of this side.
	take(r *http.Request, body []byte) (task, bool)
}

// task is what a request asks for.
type task struct {
	command *ledger.Command // what it says; nil when it asks for nothing to be done
	act     func(chance) reply
}

// reply is an answer.
type reply struct {
	status int
	kind   string // of content; JSON unless given
	body   []byte
}

// chance is what was drawn for a command.
type chance struct {
	byNumber               bool // the number that is called says whether it picks up; else answered does
	answered               bool
	fail, drop, dropBefore bool
}

// fate is what becomes of it when that number is called.
func (c chance) fate(called string) flow.Fate {
	switch {
	case c.byNumber:
		return flow.FateOf(called)
	case c.answered:
		return flow.PicksUp
	default:
		return flow.RingsOut
	}
}

// maxBody is more than any command needs.
const maxBody = 64 << 10

// New returns the interfaces of those exchanges.
func New(o Options, exchanges []*Exchange, live *sim.Live, w *ledger.Writer) *Server {
	books := map[string]*book{}
	for _, e := range exchanges {
		if books[e.Tenant] == nil {
			books[e.Tenant] = newBook(e, o.Teams)
		}
		e.book = books[e.Tenant]
	}
	s := &Server{options: o, live: live, ledger: w}
	s.sides = []side{newIPEX(o.Lifetime, exchanges, live), &mcnSide{exchanges, live}, &xvbSide{exchanges, live}}
	return s
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	received := time.Now().UTC()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		refuse(http.StatusBadRequest, "the body could not be read").write(w)
		return
	}
	for _, side := range s.sides {
		if t, ok := side.take(r, body); ok {
			s.do(w, r, t, received)
			return
		}
	}
	refuse(http.StatusNotFound, "nothing is here").write(w)
}

// do carries out what was asked, unless something goes wrong on purpose, and notes commands.
func (s *Server) do(w http.ResponseWriter, r *http.Request, t task, received time.Time) {
	c := t.command
	if c == nil {
		t.act(chance{}).write(w)
		return
	}
	number, chance := s.draw()
	c.Command, c.Method, c.Path, c.ReceivedAt = number, r.Method, r.URL.Path, received
	var a reply
	switch {
	case chance.dropBefore:
		c.Chaos = "drop_before"
	case chance.fail:
		c.Chaos, a = "fail", refuse(http.StatusServiceUnavailable, "try again later")
	case chance.drop:
		c.Chaos = "drop"
		a = t.act(chance)
	default:
		a = t.act(chance)
	}
	s.pause(r)
	dropped := chance.dropBefore || c.Chaos == "drop"
	s.note(c, a, dropped)
	if dropped {
		panic(http.ErrAbortHandler) // closes the connection, and says nothing
	}
	a.write(w)
}

// draw numbers a command, and says what goes wrong with it.
func (s *Server) draw() (number int64, c chance) {
	s.mu.Lock()
	s.commands++
	number = s.commands
	s.mu.Unlock()
	o, rng := s.options, rand.New(rand.NewPCG(^s.options.Seed, uint64(number)))
	return number, chance{
		byNumber: o.Answer < 0, answered: rng.Float64() < o.Answer,
		fail: rng.Float64() < o.Fail, drop: rng.Float64() < o.Drop, dropBefore: rng.Float64() < o.DropBefore,
	}
}

// pause makes the answer late, but does not keep a server that ends.
func (s *Server) pause(r *http.Request) {
	if s.options.Slow <= 0 {
		return
	}
	timer := time.NewTimer(s.options.Slow)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	case <-s.live.Ended():
	}
}

func (s *Server) note(c *ledger.Command, a reply, dropped bool) {
	c.Status, c.Answer, c.AnsweredAt = a.status, string(a.body), time.Now().UTC()
	if dropped {
		c.Status = 0
	}
	s.ledger.Write(c)
}

func (a reply) write(w http.ResponseWriter) {
	if a.kind == "" {
		a.kind = "application/json"
	}
	w.Header().Set("Content-Type", a.kind)
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // who asked may be gone
}

// refuse says why something was not done.
func refuse(status int, format string, args ...any) reply {
	return answer(status, map[string]string{"error": fmt.Sprintf(format, args...)})
}

// answer is a reply with an object.
func answer(status int, value any) reply {
	body, _ := json.Marshal(value) // of maps, texts and numbers: cannot fail
	return reply{status: status, body: body}
}

// refused is a task that is not done.
func refused(c *ledger.Command, a reply) task {
	return task{c, func(chance) reply { return a }}
}
