// Package rootfs makes what is in every image besides the program. It needs nothing of the machine that it runs on, so the
// images that deploy/Dockerfile builds have the same files as those of make images.
package rootfs

import (
	"bytes"
	"encoding/pem"
	"io/fs"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// Program is the path of the program in every image, relative to the root.
const Program = "switchhook"

// User is the number of the user, and of its group, that the images run as.
const User = 65532

// Certificates is the module that the certificates are from. Its version is pinned in go.mod.
const Certificates = "golang.org/x/crypto/x509roots/fallback"

// File is a file or, if its mode says so, a folder.
type File struct {
	Path  string // relative to the root
	Mode  fs.FileMode
	Owner int // user and group
	Data  []byte
}

// Files returns all but the program, each folder before what is in it.
func Files() []File {
	folder := fs.ModeDir | 0o755
	return []File{
		{Path: "etc", Mode: folder},
		{Path: "etc/passwd", Mode: 0o644, Data: []byte("switchhook:x:65532:65532::/var/lib/switchhook:/sbin/nologin\n")},
		{Path: "etc/ssl", Mode: folder},
		{Path: "etc/ssl/certs", Mode: folder},
		{Path: "etc/ssl/certs/ca-certificates.crt", Mode: 0o644, Data: certificates()},
		{Path: "var", Mode: folder},
		{Path: "var/lib", Mode: folder},
		// Where volumes are mounted: an engine gives a new volume the owner of the folder that it covers.
		{Path: "var/lib/switchhook", Mode: fs.ModeDir | 0o750, Owner: User},
	}
}

// certificates returns the authorities that Mozilla trusts. Left out is one that is trusted only for what it signed up to a
// certain day, since PEM cannot say so.
func certificates() []byte {
	var b bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			b.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}))
		}
	}
	return b.Bytes()
}
