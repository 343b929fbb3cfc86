package e2e_test
import ("testing"; "os"; "github.com/switchhook/switchhook/services/pbxsim/ledger")
type truth struct{ calls []*ledger.Call; agents []*ledger.Agent; requests int }
func readLedger(t *testing.T, path string) truth {
	f, err := os.Open(path); if err != nil { t.Fatal(err) }
	defer f.Close()
	var l truth
	for e, err := range ledger.Read(f) { if err != nil { t.Fatal(err) }
	switch e := e.(type) { case *ledger.Call: l.calls = append(l.calls, e); case *ledger.Agent: l.agents = append(l.agents, e); case *ledger.Sent: l.requests++
		if e.Status != e.Want { t.Errorf("%+v", e) } } }
	t.Log(len(l.calls), len(l.agents), l.requests, l.calls[0].Start, l.calls[len(l.calls)-1].Ended)
	return l
}
