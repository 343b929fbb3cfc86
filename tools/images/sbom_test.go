package main_test

import (
	"debug/buildinfo"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/CycloneDX/cyclonedx-go"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// checkBill holds a bill of materials against CycloneDX's own schema and against what the program says.
func checkBill(t *testing.T, program string, text []byte, service string) {
	t.Helper()
	if err := schema(t).Validate(decode[any](t, text)); err != nil {
		t.Error(err)
	}
	bill := decode[cyclonedx.BOM](t, text)
	if c := bill.Metadata.Component; c.Name != service || c.Version != version || (*c.Licenses)[0].License.ID != "Apache-2.0" {
		t.Errorf("want %s %s under Apache-2.0, have %+v", service, version, c)
	}
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"stdlib@" + strings.TrimPrefix(info.GoVersion, "go")}
	for _, m := range info.Deps {
		want = append(want, m.Path+"@"+m.Version)
	}
	var have []string
	certificates := ""
	for _, c := range *bill.Components {
		if c.Name == "ca-certificates" {
			certificates = c.Version
			continue
		}
		have = append(have, c.Name+"@"+c.Version)
	}
	if !slices.Equal(want, have) || len(have) < 2 {
		t.Errorf("want the modules %v, have %v", want, have)
	}
	if !strings.HasPrefix(certificates, "v0.0.0-") {
		t.Errorf("want the version of the certificates, have %q", certificates)
	}
}

func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	folder, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/CycloneDX/cyclonedx-go").Output()
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(files(filepath.Join(strings.TrimSpace(string(folder)), "schema")))
	s, err := c.Compile("http://cyclonedx.org/schema/bom-1.6.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// files finds schemas in a folder by the last part of their address.
type files string

func (f files) Load(url string) (any, error) {
	name := url[strings.LastIndex(url, "/")+1:]
	matches, err := filepath.Glob(filepath.Join(string(f), strings.TrimSuffix(name, "schema.json")+"schema*.json"))
	if err != nil || len(matches) != 1 {
		return nil, fmt.Errorf("schema %s: %w", name, fs.ErrNotExist)
	}
	file, err := os.Open(matches[0])
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return jsonschema.UnmarshalJSON(file)
}
