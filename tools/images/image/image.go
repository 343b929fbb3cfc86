// Package image makes container images of programs, and files of them that container engines load.
package image

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"os"
	"strconv"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/switchhook/switchhook/tools/images/rootfs"
	"github.com/switchhook/switchhook/tools/images/sbom"
)

// Source is where the project is kept.
const Source = "https://github.com/switchhook/switchhook"

// Spec says what an image is of. Equal specs and programs make equal images.
type Spec struct {
	Service, Version string
	Revision         string // the commit
	Created          time.Time
}

// Labels returns an image's labels, which are its annotations, too, together with the time.
func (s Spec) Labels() map[string]string {
	return map[string]string{
		"org.opencontainers.image.title":       s.Service,
		"org.opencontainers.image.description": "Switchhook: " + s.Service,
		"org.opencontainers.image.version":     s.Version,
		"org.opencontainers.image.revision":    s.Revision,
		"org.opencontainers.image.source":      Source,
		"org.opencontainers.image.licenses":    sbom.License,
	}
}

func (s Spec) annotations() map[string]string {
	annotations := s.Labels()
	annotations["org.opencontainers.image.created"] = s.Created.UTC().Format(time.RFC3339)
	return annotations
}

// Config returns how an image is run. It says the same as deploy/Dockerfile does.
func (s Spec) Config() v1.Config {
	user := strconv.Itoa(rootfs.User)
	return v1.Config{
		User:       user + ":" + user,
		WorkingDir: "/",
		Entrypoint: []string{"/" + rootfs.Program},
		Env: []string{
			"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
			// Without these a service listens where nobody outside of its container reaches it.
			"SWITCHHOOK_LISTEN=:8080",
			"SWITCHHOOK_ADMIN_LISTEN=:8081",
		},
		ExposedPorts: map[string]struct{}{"8080/tcp": {}, "8081/tcp": {}},
		Labels:       s.Labels(),
	}
}

// Image makes the image of a program for one platform.
func (s Spec) Image(platform *v1.Platform, program string) (v1.Image, error) {
	layer, err := s.layer(program)
	if err != nil {
		return nil, err
	}
	created := v1.Time{Time: s.Created.UTC()}
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	img, err := mutate.ConfigFile(base, &v1.ConfigFile{
		Created: created, OS: platform.OS, Architecture: platform.Architecture, Variant: platform.Variant,
		Config: s.Config(), RootFS: v1.RootFS{Type: "layers"},
	})
	if err != nil {
		return nil, err
	}
	img, err = mutate.Append(img, mutate.Addendum{Layer: layer, History: v1.History{Created: created, CreatedBy: "make images"}})
	if err != nil {
		return nil, err
	}
	return mutate.Annotations(img, s.annotations()).(v1.Image), nil
}

// layer packs the program and what every image has into the image's only layer.
func (s Spec) layer(program string) (v1.Layer, error) {
	data, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	files := append(rootfs.Files(), rootfs.File{Path: rootfs.Program, Mode: 0o755, Data: data})
	var b bytes.Buffer
	if err := pack(&b, files, s.Created); err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil }
	return tarball.LayerFromOpener(open, tarball.WithCompressionLevel(gzip.BestCompression),
		tarball.WithMediaType(types.OCILayer), tarball.WithCompressedCaching)
}

func pack(w io.Writer, files []rootfs.File, at time.Time) error {
	t := tar.NewWriter(w)
	for _, f := range files {
		h := &tar.Header{
			Typeflag: tar.TypeReg, Name: f.Path, Mode: int64(f.Mode & fs.ModePerm), Size: int64(len(f.Data)),
			Uid: f.Owner, Gid: f.Owner, ModTime: at, Format: tar.FormatPAX,
		}
		if f.Mode.IsDir() {
			h.Typeflag, h.Name = tar.TypeDir, f.Path+"/"
		}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		if _, err := t.Write(f.Data); err != nil {
			return err
		}
	}
	return t.Close()
}
