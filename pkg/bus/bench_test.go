package bus_test

import (
	"context"
	"testing"
	"time"

	"github.com/switchhook/switchhook/pkg/bustest"
	"github.com/switchhook/switchhook/pkg/event"
)

// BenchmarkPublish publishes from many callers at once; each waits for its acknowledgement, synced to disk.
func BenchmarkPublish(b *testing.B) {
	for _, callers := range []int{1, 16, 64} { // per processor
		b.Run(map[int]string{1: "few", 16: "many", 64: "crowd"}[callers], func(b *testing.B) {
			bus := bustest.Start(b).Bus()
			b.SetParallelism(callers)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					ctx, cancel := context.WithTimeout(b.Context(), 5*time.Second)
					if err := bus.Publish(ctx, newEvent(event.NewID())); err != nil {
						b.Error(err)
					}
					cancel()
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
