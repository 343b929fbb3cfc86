// Package build compiles the services for other platforms, so that the same source gives the same bytes in any folder, at any
// time and for anybody.
package build

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// Platforms returns what images are built for, as OS/architecture.
func Platforms() []string { return []string{"linux/amd64", "linux/arm64"} }

// Flags returns what `go build` is given besides packages and the place of the result.
func Flags(version string) []string {
	return []string{
		"-trimpath", "-buildvcs=false",
		"-ldflags", "-s -w -X github.com/switchhook/switchhook/pkg/cli.Version=" + version,
	}
}

// Services returns the names of all services in a checkout, sorted.
func Services(checkout string) ([]string, error) {
	paths, err := filepath.Glob(filepath.Join(checkout, "services", "*", "main.go"))
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("there are no services in %s", checkout)
	}
	names := make([]string, len(paths))
	for i, path := range paths {
		names[i] = filepath.Base(filepath.Dir(path))
	}
	slices.Sort(names)
	return names, nil
}

// Programs compiles services for a platform into a folder, each under its own name.
func Programs(ctx context.Context, checkout, folder, platform, version string, services []string) error {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	args := slices.Concat([]string{"build"}, Flags(version), []string{"-o", folder + "/"})
	for _, service := range services {
		args = append(args, "./services/"+service)
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = checkout
	cmd.Env = append(os.Environ(), Environment(platform)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("compile for %s: %w\n%s", platform, err, out)
	}
	return nil
}

// Environment returns the variables that decide on the result. Each has a value, since an empty one would leave the choice
// to the machine's settings.
func Environment(platform string) []string {
	system, architecture, _ := strings.Cut(platform, "/")
	return []string{
		"CGO_ENABLED=0", "GOOS=" + system, "GOARCH=" + architecture, "GOAMD64=v1", "GOARM64=v8.0",
		"GOFLAGS=-mod=readonly", "GOWORK=off", "GOTOOLCHAIN=" + runtime.Version(),
	}
}
