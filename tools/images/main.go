// Command images builds the images of the services without a container engine. `make images` runs it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/switchhook/switchhook/tools/images/build"
	"github.com/switchhook/switchhook/tools/images/image"
	"github.com/switchhook/switchhook/tools/images/sbom"
)

type options struct {
	checkout, out, repository string
	limit                     float64 // the largest that an image may be where it is stored and sent, in MiB
	services                  []string
	spec                      image.Spec // of all of them, without a service
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "images:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, w io.Writer) error {
	o, err := parse(ctx, args)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	programs, err := os.MkdirTemp("", "images-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(programs)
	for _, platform := range build.Platforms() {
		fmt.Fprintf(w, "%s: compiling %d programs, version %s\n", platform, len(o.services), o.spec.Version)
		err := build.Programs(ctx, o.checkout, filepath.Join(programs, platform), platform, o.spec.Version, o.services)
		if err != nil {
			return err
		}
	}
	var rows []row
	for i, service := range o.services {
		fmt.Fprintf(w, "%d/%d %s\n", i+1, len(o.services), service)
		more, err := o.pack(service, programs)
		if err != nil {
			return fmt.Errorf("%s: %w", service, err)
		}
		rows = append(rows, more...)
	}
	return o.report(w, rows)
}

func parse(ctx context.Context, args []string) (*options, error) {
	o := &options{}
	set := flag.NewFlagSet("images", flag.ContinueOnError)
	set.StringVar(&o.checkout, "checkout", "../..", "`folder` of the project")
	set.StringVar(&o.out, "out", "../../bin/images", "`folder` for the images")
	set.StringVar(&o.repository, "repository", "switchhook", "what stands before the services' `names` in the images' names")
	set.StringVar(&o.spec.Version, "version", "", "`version` to stamp (default: git describe)")
	set.StringVar(&o.spec.Revision, "revision", "", "`commit` to name (default: the checked out one)")
	set.Float64Var(&o.limit, "limit", 25, "the largest that an image may be, compressed, in `MiB`")
	set.Usage = func() {
		fmt.Fprint(set.Output(), "images builds container images of services, or of all. Files have the time of $SOURCE_DATE_EPOCH,\n",
			"or of the commit.\n\n  images [flags] [service...]\n\n")
		set.PrintDefaults()
	}
	if err := set.Parse(args); err != nil {
		return nil, err
	}
	var err error
	if o.services = set.Args(); len(o.services) == 0 {
		if o.services, err = build.Services(o.checkout); err != nil {
			return nil, err
		}
	}
	if err := o.stamp(ctx); err != nil {
		return nil, err
	}
	return o, nil
}

// stamp finds out what the flags did not say.
func (o *options) stamp(ctx context.Context) error {
	epoch := os.Getenv("SOURCE_DATE_EPOCH")
	for _, unknown := range []struct {
		value *string
		hint  string
		git   []string
	}{
		{&o.spec.Version, "give -version", []string{"describe", "--tags", "--always", "--dirty", "--abbrev=12"}},
		{&o.spec.Revision, "give -revision", []string{"rev-parse", "HEAD"}},
		{&epoch, "set SOURCE_DATE_EPOCH", []string{"log", "-1", "--format=%ct"}},
	} {
		if *unknown.value != "" {
			continue
		}
		out, err := exec.CommandContext(ctx, "git", append([]string{"-C", o.checkout}, unknown.git...)...).Output()
		if err != nil {
			return fmt.Errorf("ask git (%s, where there is none): %w", unknown.hint, err)
		}
		*unknown.value = strings.TrimSpace(string(out))
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
	}
	o.spec.Created = time.Unix(seconds, 0)
	return nil
}

// pack makes the files of one service: the archive and, beside it, the bills of materials.
func (o *options) pack(service, programs string) ([]row, error) {
	spec := o.spec
	spec.Service = service
	name, err := spec.Name(o.repository)
	if err != nil {
		return nil, err
	}
	base := filepath.Join(o.out, service+"-"+spec.Version)
	var variants []image.Variant
	var rows []row
	for _, platform := range build.Platforms() {
		v, err := variant(spec, platform, filepath.Join(programs, platform, service))
		if err != nil {
			return nil, err
		}
		file := base + "." + strings.ReplaceAll(platform, "/", "-") + ".cdx.json"
		if err := os.WriteFile(file, v.SBOM, 0o644); err != nil {
			return nil, err
		}
		r, err := measure(service, v)
		if err != nil {
			return nil, err
		}
		variants, rows = append(variants, v), append(rows, r)
	}
	index, err := spec.Archive(base+".oci.tar", name, variants)
	return append(rows, row{service: service, platform: "(both)", digest: index.String()}), err
}

func variant(spec image.Spec, platform, program string) (image.Variant, error) {
	p, err := v1.ParsePlatform(platform)
	if err != nil {
		return image.Variant{}, err
	}
	img, err := spec.Image(p, program)
	if err != nil {
		return image.Variant{}, err
	}
	bill, err := sbom.Of(program, spec.Service, spec.Version, spec.Created)
	return image.Variant{Platform: p, Image: img, SBOM: bill}, err
}

// row is a line of the table. Sizes are in bytes; the index has none.
type row struct {
	service, platform, digest string
	compressed, uncompressed  int64
}

func measure(service string, v image.Variant) (row, error) {
	digest, err := v.Image.Digest()
	if err != nil {
		return row{}, err
	}
	r := row{service: service, platform: v.Platform.String(), digest: digest.String()}
	layers, err := v.Image.Layers()
	if err != nil {
		return row{}, err
	}
	for _, layer := range layers {
		size, err := layer.Size()
		if err != nil {
			return row{}, err
		}
		data, err := layer.Uncompressed()
		if err != nil {
			return row{}, err
		}
		unpacked, err := io.Copy(io.Discard, data)
		if err != nil {
			return row{}, err
		}
		r.compressed, r.uncompressed = r.compressed+size, r.uncompressed+unpacked
	}
	return r, nil
}

// report prints the table, and fails when an image is too large.
func (o *options) report(w io.Writer, rows []row) error {
	var errs []error
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "service\tplatform\tdigest\tcompressed\tuncompressed")
	for _, r := range rows {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", r.service, r.platform, r.digest, size(r.compressed), size(r.uncompressed))
		if float64(r.compressed) > o.limit*mebibyte {
			errs = append(errs, fmt.Errorf("%s for %s has %s, more than %g MiB", r.service, r.platform, size(r.compressed), o.limit))
		}
	}
	return errors.Join(append(errs, t.Flush())...)
}

const mebibyte = 1 << 20

// size is empty for the index, which has none.
func size(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/mebibyte)
}
