package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/images/archive"
	"github.com/containerd/containerd/v2/plugins/content/local"
	"github.com/containerd/log"
	"github.com/containerd/platforms"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/switchhook/switchhook/tools/images/build"
)

// runProgram runs a program with nothing around it, as in its container.
func runProgram(t *testing.T, program, service string) {
	t.Helper()
	for flag, want := range map[string]string{"--version": service + " version " + version, "--help": "Usage:"} {
		cmd := exec.CommandContext(t.Context(), program, flag)
		cmd.Dir, cmd.Env = filepath.Dir(program), []string{"SWITCHHOOK_LISTEN=:8080", "SWITCHHOOK_ADMIN_LISTEN=:8081"}
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: want %q, have %v and %s", flag, want, err, out)
		}
	}
}

// importByDocker reads what Docker's older image store does.
func importByDocker(t *testing.T, path, service, platform string, img v1.Image) {
	t.Helper()
	_, architecture, _ := strings.Cut(platform, "/")
	tag, err := name.NewTag("switchhook/" + service + ":" + version + "-" + architecture)
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := tarball.ImageFromPath(path, &tag)
	if err != nil {
		t.Fatal(err)
	}
	want, err := img.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	if have, err := loaded.ConfigName(); err != nil || have != want {
		t.Errorf("%s: want the image %s, have %s and %v", tag, want, have, err)
	}
	if err := validate.Image(loaded); err != nil {
		t.Error(err)
	}
}

// importByContainerd imports an archive by containerd's own code, which Docker uses, too, into a folder.
func importByContainerd(t *testing.T, path, service string) {
	t.Helper()
	// It warns of every file system that cannot seal files.
	if err := log.SetLevel("error"); err != nil {
		t.Fatal(err)
	}
	store, err := local.NewStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	d, err := archive.ImportIndex(t.Context(), store, file)
	if err != nil {
		t.Fatal(err)
	}
	children, err := images.Children(t.Context(), store, d)
	if err != nil {
		t.Fatal(err)
	}
	var named []ocispec.Descriptor
	for _, c := range children {
		if name := c.Annotations["io.containerd.image.name"]; name != "" {
			if want := "docker.io/switchhook/" + service + ":" + version; name != want {
				t.Errorf("want the name %s, have %s", want, name)
			}
			named = append(named, c)
		}
	}
	if len(named) != 1 {
		t.Fatalf("want one image with a name, have %d", len(named))
	}
	for _, platform := range build.Platforms() {
		matcher := platforms.Only(platforms.MustParse(platform))
		if ok, _, _, missing, err := images.Check(t.Context(), store, named[0], matcher); !ok || len(missing) > 0 || err != nil {
			t.Errorf("%s: want all that the image needs, have %v, %v and %v missing", platform, ok, err, missing)
		}
		if m, err := images.Manifest(t.Context(), store, named[0], matcher); err != nil || !images.IsConfigType(m.Config.MediaType) {
			t.Errorf("%s: want an image that can be unpacked, have %+v and %v", platform, m, err)
		}
	}
}
