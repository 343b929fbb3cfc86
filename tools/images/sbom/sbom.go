// Package sbom lists what a program is made of, as a CycloneDX bill of materials.
package sbom

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/CycloneDX/cyclonedx-go"
	"github.com/google/uuid"

	"github.com/switchhook/switchhook/tools/images/rootfs"
)

// MediaType is that of what Of returns.
const MediaType = "application/vnd.cyclonedx+json"

// License is the project's own.
const License = "Apache-2.0"

// Of returns the bill of materials of an image of a program: what the program itself says that it was linked from, the
// standard library, and the certificates beside it. The same program at the same time gives the same bytes.
func Of(path, name, version string, created time.Time) ([]byte, error) {
	program, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	info, err := buildinfo.Read(bytes.NewReader(program))
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(program)
	bom := cyclonedx.NewBOM()
	bom.SerialNumber = uuid.NewSHA1(uuid.NameSpaceURL, sum[:]).URN()
	bom.Metadata = &cyclonedx.Metadata{
		Timestamp: created.UTC().Format(time.RFC3339),
		Component: &cyclonedx.Component{
			BOMRef: name, Type: cyclonedx.ComponentTypeApplication, Name: name, Version: version, Hashes: sha(sum[:]),
			Licenses:   &cyclonedx.Licenses{{License: &cyclonedx.License{ID: License}}},
			PackageURL: purl(info.Path, version),
		},
	}
	components, refs := parts(info)
	bom.Components = &components
	bom.Dependencies = &[]cyclonedx.Dependency{{Ref: name, Dependencies: &refs}}
	var b bytes.Buffer
	err = cyclonedx.NewBOMEncoder(&b, cyclonedx.BOMFileFormatJSON).SetPretty(true).EncodeVersion(bom, cyclonedx.SpecVersion1_6)
	return b.Bytes(), err
}

// parts returns what is not the project's own, and the references to it.
func parts(info *debug.BuildInfo) ([]cyclonedx.Component, []string) {
	components := []cyclonedx.Component{
		library("stdlib", strings.TrimPrefix(info.GoVersion, "go"), ""),
		certificates(),
	}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		components = append(components, library(m.Path, m.Version, m.Sum))
	}
	refs := make([]string, len(components))
	for i, c := range components {
		refs[i] = c.BOMRef
	}
	return components, refs
}

func library(path, version, sum string) cyclonedx.Component {
	c := cyclonedx.Component{
		BOMRef: purl(path, version), Type: cyclonedx.ComponentTypeLibrary, Name: path, Version: version, PackageURL: purl(path, version),
	}
	// The number in go.sum is a SHA-256 of the module's files, in base64.
	if text, ok := strings.CutPrefix(sum, "h1:"); ok {
		if hash, err := base64.StdEncoding.DecodeString(text); err == nil {
			c.Hashes = sha(hash)
		}
	}
	return c
}

// certificates describes the file of certificates, under the version of the module that they are from.
func certificates() cyclonedx.Component {
	c := cyclonedx.Component{BOMRef: "ca-certificates", Type: cyclonedx.ComponentTypeData, Name: "ca-certificates"}
	for _, f := range rootfs.Files() {
		if strings.HasSuffix(f.Path, "/ca-certificates.crt") {
			sum := sha256.Sum256(f.Data)
			c.Hashes = sha(sum[:])
		}
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == rootfs.Certificates {
				c.Version = m.Version
				c.Description = "from " + m.Path
			}
		}
	}
	return c
}

func sha(sum []byte) *[]cyclonedx.Hash {
	return &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: hex.EncodeToString(sum)}}
}

func purl(path, version string) string {
	return "pkg:golang/" + path + "@" + strings.ReplaceAll(version, "+", "%2B")
}
