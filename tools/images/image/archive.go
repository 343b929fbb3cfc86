package image

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/distribution/reference"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/switchhook/switchhook/tools/images/sbom"
)

// Variant is a service's image for one platform.
type Variant struct {
	Platform *v1.Platform
	Image    v1.Image
	SBOM     []byte
}

// Name returns the name that engines give the image when they load it, such as docker.io/switchhook/ingress-ipex:1.0.
func (s Spec) Name(repository string) (reference.NamedTagged, error) {
	named, err := reference.ParseNormalizedNamed(repository + "/" + s.Service)
	if err != nil {
		return nil, err
	}
	return reference.WithTag(named, s.Version)
}

// Archive writes a file that engines load: an OCI layout with one index of all variants and, attached to each of them, its
// bill of materials. What it returns is the digest of the index.
func (s Spec) Archive(path string, name reference.NamedTagged, variants []Variant) (v1.Hash, error) {
	folder, err := os.MkdirTemp(filepath.Dir(path), ".layout-")
	if err != nil {
		return v1.Hash{}, err
	}
	defer os.RemoveAll(folder)
	index := s.index(variants)
	l, err := layout.Write(folder, empty.Index)
	if err != nil {
		return v1.Hash{}, err
	}
	err = l.AppendIndex(index, layout.WithAnnotations(map[string]string{
		"io.containerd.image.name": name.String(), ocispec.AnnotationRefName: name.Tag(),
	}))
	if err != nil {
		return v1.Hash{}, err
	}
	for _, v := range variants {
		if err := s.attach(l, v); err != nil {
			return v1.Hash{}, err
		}
	}
	if err := writeDockerManifest(l, name, variants); err != nil {
		return v1.Hash{}, err
	}
	if err := archive(path, folder, s.Created); err != nil {
		return v1.Hash{}, err
	}
	return index.Digest()
}

func (s Spec) index(variants []Variant) v1.ImageIndex {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, v := range variants {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: v.Image, Descriptor: v1.Descriptor{Platform: v.Platform}})
	}
	return mutate.Annotations(index, s.annotations()).(v1.ImageIndex)
}

// attach adds a variant's bill of materials as a manifest of its own that refers to the variant's image.
func (s Spec) attach(l layout.Path, v Variant) error {
	image, err := v.Image.Digest()
	if err != nil {
		return err
	}
	size, err := v.Image.Size()
	if err != nil {
		return err
	}
	bill, err := blob(l, sbom.MediaType, v.SBOM)
	if err != nil {
		return err
	}
	nothing, err := blob(l, ocispec.MediaTypeEmptyJSON, ocispec.DescriptorEmptyJSON.Data)
	if err != nil {
		return err
	}
	text, err := json.Marshal(ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, ArtifactType: sbom.MediaType,
		Config: nothing, Layers: []ocispec.Descriptor{bill},
		Subject:     &ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.Digest(image.String()), Size: size},
		Annotations: map[string]string{ocispec.AnnotationCreated: s.Created.UTC().Format(time.RFC3339)},
	})
	if err != nil {
		return err
	}
	manifest, err := blob(l, ocispec.MediaTypeImageManifest, text)
	if err != nil {
		return err
	}
	hash, err := v1.NewHash(manifest.Digest.String())
	if err != nil {
		return err
	}
	return l.AppendDescriptor(v1.Descriptor{
		MediaType: types.OCIManifestSchema1, Digest: hash, Size: manifest.Size, ArtifactType: sbom.MediaType,
	})
}

func blob(l layout.Path, mediaType string, data []byte) (ocispec.Descriptor, error) {
	d := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
	hash, err := v1.NewHash(d.Digest.String())
	if err != nil {
		return d, err
	}
	return d, l.WriteBlob(hash, io.NopCloser(bytes.NewReader(data)))
}

// writeDockerManifest adds what Docker's older image store reads, which knows no indexes: there each platform has a name of its
// own, with -amd64 or -arm64 at the end.
func writeDockerManifest(l layout.Path, name reference.NamedTagged, variants []Variant) error {
	type entry struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
	var entries []entry
	for _, v := range variants {
		m, err := v.Image.Manifest()
		if err != nil {
			return err
		}
		e := entry{Config: blobPath(m.Config.Digest), RepoTags: []string{reference.FamiliarString(name) + "-" + v.Platform.Architecture}}
		for _, layer := range m.Layers {
			e.Layers = append(e.Layers, blobPath(layer.Digest))
		}
		entries = append(entries, e)
	}
	text, err := json.Marshal(entries)
	if err != nil {
		return err
	}
	return l.WriteFile("manifest.json", text, 0o644)
}

func blobPath(h v1.Hash) string { return strings.Join([]string{"blobs", h.Algorithm, h.Hex}, "/") }

// archive packs a folder's files in their order by name, and puts the result in place when it is whole.
func archive(path, folder string, at time.Time) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".archive-")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name()) //nolint:errcheck // It has its name by then, or nobody can help.
	defer file.Close()           //nolint:errcheck // Closed below, unless there was an error before.
	t := tar.NewWriter(file)
	err = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		return add(t, folder, path, at)
	})
	if err != nil {
		return err
	}
	if err := t.Close(); err != nil {
		return err
	}
	if err := file.Chmod(0o644); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

func add(t *tar.Writer, folder, path string, at time.Time) error {
	name, err := filepath.Rel(folder, path)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	h := &tar.Header{Typeflag: tar.TypeReg, Name: filepath.ToSlash(name), Mode: 0o644, Size: int64(len(data)), ModTime: at}
	if err := t.WriteHeader(h); err != nil {
		return err
	}
	_, err = t.Write(data)
	return err
}
