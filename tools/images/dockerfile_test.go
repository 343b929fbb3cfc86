package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/switchhook/switchhook/tools/images/build"
	"github.com/switchhook/switchhook/tools/images/image"
	"github.com/switchhook/switchhook/tools/images/rootfs"
)

const checkout = "../.."

// BuildKit itself reads the Dockerfile here, up to what it would then carry out.
func TestDockerfileSetsWhatTheToolSets(t *testing.T) {
	spec := image.Spec{Service: "ingress-ipex", Version: "1.2.3", Revision: "abc", Created: time.Unix(0, 0)}
	platform := ocispec.Platform{OS: "linux", Architecture: "amd64"}
	result, err := dockerfile2llb.Dockerfile2LLB(t.Context(), dockerfile(t), dockerfile2llb.ConvertOpt{
		Config: dockerui.Config{
			BuildArgs:      map[string]string{"SERVICE": spec.Service, "VERSION": spec.Version, "REVISION": spec.Revision},
			BuildPlatforms: []ocispec.Platform{platform},
		},
		TargetPlatform: &platform,
		MetaResolver:   golang{},
		Warn: func(rule, _, _, text string, _ []parser.Range) {
			t.Errorf("BuildKit's linter, rule %s: %s", rule, text)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := spec.Config()
	have := result.Image.Config
	for name, values := range map[string][2]any{
		"user":              {want.User, have.User},
		"entrypoint":        {want.Entrypoint, have.Entrypoint},
		"command":           {want.Cmd, have.Cmd},
		"environment":       {want.Env, have.Env},
		"working directory": {want.WorkingDir, have.WorkingDir},
		"ports":             {want.ExposedPorts, have.ExposedPorts},
		"volumes":           {want.Volumes, have.Volumes},
		"labels":            {want.Labels, have.Labels},
		"stop signal":       {want.StopSignal, have.StopSignal},
	} {
		if !reflect.DeepEqual(values[0], values[1]) {
			t.Errorf("%s: want %v, have %v", name, values[0], values[1])
		}
	}
	if have.Healthcheck != nil {
		t.Errorf("want no health check, which needs a program to ask with, have %v", have.Healthcheck)
	}
}

// golang stands for the registry that the builder's image is in.
type golang struct{}

func (g golang) ResolveImageConfig(_ context.Context, ref string, _ sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	return ref, "", g.config(), nil
}

func (g golang) ResolveSourceMetadata(_ context.Context, op *pb.SourceOp, _ sourceresolver.Opt) (*sourceresolver.MetaResponse, error) {
	return &sourceresolver.MetaResponse{Op: op, Image: &sourceresolver.ResolveImageResponse{Config: g.config()}}, nil
}

func (golang) config() []byte {
	return []byte(`{"os": "linux", "architecture": "amd64", "config": {"Env": ["PATH=/usr/local/go/bin:/usr/bin:/bin"]}}`)
}

var _ llb.ImageMetaResolver = golang{}

// What the Dockerfile's first stage runs is run here, on what .dockerignore leaves of the checkout, in a folder of its own. It must
// leave the bytes that the tool packs.
func TestDockerfileBuildsWhatTheToolPacks(t *testing.T) {
	const platform, service, version = "linux/arm64", "pbxsim", "1.2.3"
	source, elsewhere, out := t.TempDir(), t.TempDir(), t.TempDir()
	copyContext(t, checkout, source)
	copyContext(t, source, elsewhere)
	for _, command := range firstStage(t) {
		cmd := exec.CommandContext(t.Context(), "/bin/sh", "-euc", strings.ReplaceAll(command.script, "/out", out))
		cmd.Dir = source
		cmd.Env = append(os.Environ(), "TARGETOS=linux", "TARGETARCH=arm64", "SERVICE="+service, "VERSION="+version)
		cmd.Env = append(cmd.Env, command.env...)
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command.script, err, text)
		}
	}
	programs := t.TempDir()
	if err := build.Programs(t.Context(), elsewhere, programs, platform, version, []string{service}); err != nil {
		t.Fatal(err)
	}
	want := map[string][]byte{"root/" + rootfs.Program: read(t, filepath.Join(programs, service))}
	for _, f := range rootfs.Files() {
		if !f.Mode.IsDir() {
			want["root/"+f.Path] = f.Data
		}
	}
	for path, data := range want {
		if !bytes.Equal(data, read(t, filepath.Join(out, path))) {
			t.Errorf("%s: want what the tool packs, have something else", path)
		}
	}
	err := filepath.WalkDir(out, func(path string, entry fs.DirEntry, err error) error {
		path, _ = filepath.Rel(out, path)
		if _, ok := want[path]; err == nil && !entry.IsDir() && !ok {
			t.Errorf("want no %s", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if entry, err := os.Stat(filepath.Join(out, "owned/switchhook")); err != nil || entry.Mode() != fs.ModeDir|0o750 {
		t.Errorf("want a folder of the user's, have %v and %v", entry, err)
	}
}

func TestDockerfileCopies(t *testing.T) {
	all := stages(t)
	if want := "golang:" + strings.TrimPrefix(runtime.Version(), "go"); all[0].BaseName != want {
		t.Errorf("want %s, which go.mod says, have %s", want, all[0].BaseName)
	}
	want := []string{"/out/root/ / ", "/out/owned/ /var/lib/ 65532:65532"}
	var have []string
	for _, c := range all[1].Commands {
		if c, ok := c.(*instructions.CopyCommand); ok {
			have = append(have, strings.Join(append(c.SourcePaths, c.DestPath, c.Chown), " "))
		}
	}
	if !slices.Equal(want, have) || len(all) != 2 {
		t.Errorf("want two stages and the copies %q, have %d and %q", want, len(all), have)
	}
}

func stages(t *testing.T) []instructions.Stage {
	t.Helper()
	tree, err := parser.Parse(bytes.NewReader(dockerfile(t)))
	if err != nil {
		t.Fatal(err)
	}
	stages, _, err := instructions.Parse(tree.AST, linter.New(&linter.Config{}))
	if err != nil {
		t.Fatal(err)
	}
	return stages
}

type command struct {
	script string
	env    []string
}

// firstStage returns what the Dockerfile's first stage runs.
func firstStage(t *testing.T) []command {
	t.Helper()
	var commands []command
	var env []string
	for _, c := range stages(t)[0].Commands {
		switch c := c.(type) {
		case *instructions.EnvCommand:
			for _, pair := range c.Env {
				env = append(env, pair.String())
			}
		case *instructions.RunCommand:
			commands = append(commands, command{strings.Join(c.CmdLine, " "), env})
		}
	}
	if len(commands) == 0 {
		t.Fatal("want a first stage that runs something")
	}
	return commands
}

// copyContext copies what an engine would be sent of a checkout. Nobody changes the copy during a test.
func copyContext(t *testing.T, source, target string) {
	t.Helper()
	patterns, err := ignorefile.ReadAll(bytes.NewReader(read(t, filepath.Join(checkout, ".dockerignore"))))
	if err != nil {
		t.Fatal(err)
	}
	ignored, err := patternmatcher.New(patterns)
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(source, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(source, path)
		if err != nil || name == "." {
			return err
		}
		if entry.IsDir() {
			if name == ".git" || name == "bin" {
				return fs.SkipDir // They may be large, or may change just now.
			}
			return nil
		}
		if skip, err := ignored.MatchesOrParentMatches(name); err != nil || skip {
			return err
		}
		if err := os.MkdirAll(filepath.Join(target, filepath.Dir(name)), 0o755); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(target, name), read(t, path), 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func dockerfile(t *testing.T) []byte {
	t.Helper()
	return read(t, filepath.Join(checkout, "deploy", "Dockerfile"))
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func decode[T any](t *testing.T, data []byte) T {
	t.Helper()
	var value T
	if err := json.Unmarshal(data, &value); err != nil {
		t.Fatal(err)
	}
	return value
}
