package disk_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/switchhook/switchhook/pkg/logtest"
	"github.com/switchhook/switchhook/pkg/spool/disk"
)

// How many records a second are stored when so many wait for theirs: they share syncs.
func BenchmarkAppend(b *testing.B) {
	for _, callers := range []int{1, 16, 256} {
		b.Run(fmt.Sprint(callers), func(b *testing.B) {
			q := open(b, b.TempDir(), &disk.Budget{Max: 4 << 30}, &logtest.Log{})
			defer q.Close()
			r := disk.Record{ID: "0197b2", At: time.Now(), Data: make([]byte, 500)}
			b.SetParallelism(max(1, callers/runtime.GOMAXPROCS(0)))
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := q.Append(b.Context(), r); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}
