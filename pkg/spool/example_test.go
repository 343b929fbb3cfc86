package spool_test

import (
	"context"
	"fmt"
	"os"

	"github.com/switchhook/switchhook/pkg/spool"
)

// away is a bus without a server.
type away struct{ spool.Bus }

func (away) Connected() bool { return false }

func Example() {
	folder, err := os.MkdirTemp("", "spool")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(folder)

	s, err := spool.Open(spool.Options{Folder: folder, Bus: away{}})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	fmt.Println("stored:", s.Publish(context.Background(), newEvent()) == nil)
	// Drain, an actor, publishes it when the server is there.
	// Output:
	// stored: true
}
