package disk_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/switchhook/switchhook/pkg/spool/disk"
)

func Example() {
	folder, err := os.MkdirTemp("", "spool")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(folder)

	q, err := disk.Open(folder, &disk.Budget{Max: 1 << 20}, slog.New(slog.DiscardHandler))
	if err != nil {
		panic(err)
	}
	defer q.Close()
	if err := q.Append(context.Background(), disk.Record{ID: "0197b2", At: time.Now(), Data: []byte("ring")}); err != nil {
		panic(err)
	}

	batch, err := q.Oldest()
	if err != nil {
		panic(err)
	}
	for _, r := range batch.Records {
		fmt.Printf("%s: %s\n", r.ID, r.Data)
	}
	q.Remove(batch) // once somebody else has it on disk
	fmt.Println(q.Stats().Records, "left")
	// Output:
	// 0197b2: ring
	// 0 left
}
