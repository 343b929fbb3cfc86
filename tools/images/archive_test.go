package main_test

import (
	"archive/tar"
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/switchhook/switchhook/tools/images/build"
	"github.com/switchhook/switchhook/tools/images/image"
	"github.com/switchhook/switchhook/tools/images/rootfs"
	"github.com/switchhook/switchhook/tools/images/sbom"
)

// checkArchive reads an archive back as engines and registries' tools do.
func checkArchive(t *testing.T, out, service, table string) {
	path := filepath.Join(out, service+"-"+version+".oci.tar")
	index := open(t, path)
	if err := validate.Index(index); err != nil {
		t.Error(err)
	}
	digest, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(table, digest.String()) {
		t.Errorf("want %s in the table, have not", digest)
	}
	bills := referrers(t, path)
	for _, platform := range build.Platforms() {
		img := variant(t, index, platform)
		checkConfig(t, img, service)
		program := checkFiles(t, img, platform)
		digest, err := img.Digest()
		if err != nil {
			t.Fatal(err)
		}
		bill := read(t, filepath.Join(out, service+"-"+version+"."+strings.ReplaceAll(platform, "/", "-")+".cdx.json"))
		if !bytes.Equal(bill, bills[digest.String()]) {
			t.Errorf("%s: want the bill of materials attached to the image, have %d bytes", platform, len(bills[digest.String()]))
		}
		checkBill(t, program, bill, service)
		if platform == "linux/"+runtime.GOARCH {
			runProgram(t, program, service)
		}
		importByDocker(t, path, service, platform, img)
	}
	importByContainerd(t, path, service)
}

// unpack returns the folder that an archive was unpacked into.
func unpack(t *testing.T, path string) string {
	t.Helper()
	folder := t.TempDir()
	archive := tar.NewReader(bytes.NewReader(read(t, path)))
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return folder
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		target := filepath.Join(folder, h.Name)
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(target, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// open returns the index of the images in an archive.
func open(t *testing.T, path string) v1.ImageIndex {
	t.Helper()
	all, err := layout.ImageIndexFromPath(unpack(t, path))
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := all.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	index, err := all.ImageIndex(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	return index
}

// referrers returns what is attached to images, by their digests.
func referrers(t *testing.T, path string) map[string][]byte {
	t.Helper()
	folder := unpack(t, path)
	blob := func(digest string) []byte {
		return read(t, filepath.Join(folder, "blobs", strings.ReplaceAll(digest, ":", "/")))
	}
	attached := make(map[string][]byte)
	for _, d := range decode[ocispec.Index](t, read(t, filepath.Join(folder, "index.json"))).Manifests {
		if d.ArtifactType == "" {
			continue
		}
		m := decode[ocispec.Manifest](t, blob(d.Digest.String()))
		if m.ArtifactType != sbom.MediaType || m.Layers[0].MediaType != sbom.MediaType || m.Config.MediaType != ocispec.MediaTypeEmptyJSON {
			t.Errorf("want a manifest of type %s, have %+v", sbom.MediaType, m)
		}
		if want := int64(len(blob(m.Subject.Digest.String()))); m.Subject.Size != want {
			t.Errorf("want a subject of %d bytes, have %d", want, m.Subject.Size)
		}
		attached[m.Subject.Digest.String()] = blob(m.Layers[0].Digest.String())
	}
	return attached
}

func variant(t *testing.T, index v1.ImageIndex, platform string) v1.Image {
	t.Helper()
	want, err := v1.ParsePlatform(platform)
	if err != nil {
		t.Fatal(err)
	}
	found, err := partial.FindImages(index, func(d v1.Descriptor) bool { return d.Platform != nil && d.Platform.Equals(*want) })
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 1 {
		t.Fatalf("want one image for %s, have %d", platform, len(found))
	}
	return found[0]
}

func checkConfig(t *testing.T, img v1.Image, service string) {
	t.Helper()
	file, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	c := file.Config
	for name, values := range map[string][2]string{
		"user":       {"65532:65532", c.User},
		"entrypoint": {"[/switchhook]", fmt.Sprint(c.Entrypoint)},
		"title":      {service, c.Labels["org.opencontainers.image.title"]},
		"version":    {version, c.Labels["org.opencontainers.image.version"]},
		"revision":   {revision, c.Labels["org.opencontainers.image.revision"]},
		"licence":    {"Apache-2.0", c.Labels["org.opencontainers.image.licenses"]},
		"source":     {image.Source, c.Labels["org.opencontainers.image.source"]},
		"created":    {"2023-11-14 22:13:20 +0000 UTC", file.Created.String()},
		"shell":      {"[]", fmt.Sprint(c.Shell)},
		"volumes":    {"map[]", fmt.Sprint(c.Volumes)},
	} {
		if values[0] != values[1] {
			t.Errorf("%s: want %s, have %s", name, values[0], values[1])
		}
	}
	manifest, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	if have := manifest.Annotations["org.opencontainers.image.created"]; have != "2023-11-14T22:13:20Z" {
		t.Errorf("want the annotation created, have %q", have)
	}
	var size int64
	for _, layer := range manifest.Layers {
		size += layer.Size
	}
	if size > limit {
		t.Errorf("want an image below %d bytes, compressed, have %d", limit, size)
	}
}

// checkFiles returns the path of the unpacked program.
func checkFiles(t *testing.T, img v1.Image, platform string) string {
	t.Helper()
	want := map[string]string{rootfs.Program: "-rwxr-xr-x 0"}
	for _, f := range rootfs.Files() {
		want[f.Path] = fmt.Sprint(f.Mode, " ", f.Owner)
	}
	have := make(map[string]string)
	program := filepath.Join(t.TempDir(), rootfs.Program)
	files := tar.NewReader(mutate.Extract(img))
	for {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(files)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(h.Name, "/")
		have[name] = fmt.Sprint(h.FileInfo().Mode(), " ", h.Uid)
		if h.Uid != h.Gid || !h.ModTime.Equal(time.Unix(epoch, 0)) {
			t.Errorf("%s: want the group %d and the time %d, have %d and %d", name, h.Uid, epoch, h.Gid, h.ModTime.Unix())
		}
		switch name {
		case rootfs.Program:
			if err := os.WriteFile(program, data, 0o755); err != nil {
				t.Fatal(err)
			}
		case "etc/ssl/certs/ca-certificates.crt":
			if n := bytes.Count(data, []byte("BEGIN CERTIFICATE")); n < 100 {
				t.Errorf("want more than 100 certificates, have %d", n)
			}
			if block, _ := pem.Decode(data); block == nil {
				t.Error("want certificates in PEM, have something else")
			}
		}
	}
	// Else a new volume of Docker's belongs to root.
	want["var/lib/switchhook"] = "drwxr-x--- 65532"
	if !maps.Equal(want, have) {
		t.Errorf("%s: want the files %v, have %v", platform, want, have)
	}
	checkStatic(t, program, platform)
	return program
}

func checkStatic(t *testing.T, program, platform string) {
	t.Helper()
	file, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	machine := map[string]elf.Machine{"linux/amd64": elf.EM_X86_64, "linux/arm64": elf.EM_AARCH64}[platform]
	if file.Machine != machine {
		t.Errorf("want a program for %s, have one for %s", machine, file.Machine)
	}
	for _, p := range file.Progs {
		if p.Type == elf.PT_INTERP {
			t.Errorf("%s: want a static program, have one that needs a loader", platform)
		}
	}
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range info.Settings {
		if strings.HasPrefix(s.Key, "vcs") || s.Key == "GOEXPERIMENT" {
			t.Errorf("want nothing of the machine in the program, have %s=%s", s.Key, s.Value)
		}
	}
	if info.GoVersion != runtime.Version() {
		t.Errorf("want %s, have %s", runtime.Version(), info.GoVersion)
	}
}
