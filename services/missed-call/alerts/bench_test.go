package alerts_test

import (
	"fmt"
	"testing"
	"time"
)

// One more event while 5,000 entries are open.
func BenchmarkDue(b *testing.B) {
	w := newWorld(b, ladder, office)
	w.now = nine
	for i := range 5000 {
		w.m.Apply(nine, w.event("open", fmt.Sprint(i), 0, nil))
	}
	w.now = nine.Add(time.Minute)
	w.send()
	for b.Loop() {
		w.m.Apply(w.now, w.event("open", "1", 0, nil))
		w.m.Due(w.now)
		w.m.Next()
	}
}
