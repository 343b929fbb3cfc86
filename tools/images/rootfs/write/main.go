// Command write writes the files that every image has into a folder. deploy/Dockerfile runs it.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/switchhook/switchhook/tools/images/rootfs"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: write FOLDER")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "write:", err)
		os.Exit(1)
	}
}

// write leaves owners to the Dockerfile's COPY, which sets them anyway.
func write(folder string) error {
	for _, f := range rootfs.Files() {
		path := filepath.Join(folder, f.Path)
		var err error
		if f.Mode.IsDir() {
			err = os.MkdirAll(path, f.Mode.Perm())
		} else {
			err = os.WriteFile(path, f.Data, f.Mode.Perm())
		}
		if err != nil {
			return err
		}
	}
	return nil
}
