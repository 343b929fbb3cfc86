// Package manifests renders what is in k8s/ and deploy/helm, with the libraries of kustomize and Helm, for the tests to judge.
package manifests

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// Root is the checkout, as seen from the folder of a test two levels below this module's.
const Root = "../../.."

// Object is one object of Kubernetes, as it is written.
type Object map[string]any

func folders(of string) ([]string, error) {
	found, err := filepath.Glob(filepath.Join(Root, of, "*", "kustomization.yaml"))
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("no kustomization below %s", of)
	}
	for i := range found {
		found[i] = filepath.Dir(found[i])
	}
	return found, err
}

// Kustomize renders a folder.
func Kustomize(folder string) ([]Object, error) {
	result, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		return nil, fmt.Errorf("render %s: %w", folder, err)
	}
	text, err := result.AsYaml()
	if err != nil {
		return nil, fmt.Errorf("render %s: %w", folder, err)
	}
	return Parse(text)
}

// Compose renders the base with components, as an overlay in the folder scratch would.
func Compose(scratch string, components ...string) ([]Object, error) {
	text := "resources:\n"
	for i, folder := range append([]string{filepath.Join(Root, "k8s/base")}, components...) {
		absolute, err := filepath.Abs(folder)
		if err != nil {
			return nil, err
		}
		relative, err := filepath.Rel(scratch, absolute)
		if err != nil {
			return nil, err
		}
		text += "  - " + relative + "\n"
		if i == 0 && len(components) > 0 {
			text += "components:\n"
		}
	}
	if err := os.WriteFile(filepath.Join(scratch, "kustomization.yaml"), []byte(text), 0o600); err != nil {
		return nil, err
	}
	return Kustomize(scratch)
}

// Parse reads a stream of YAML documents; empty ones are left out.
func Parse(text []byte) ([]Object, error) {
	var objects []Object
	for document := range strings.SplitSeq("\n"+string(text), "\n---") {
		var o Object
		if err := yaml.UnmarshalStrict([]byte(document), &o); err != nil {
			return nil, fmt.Errorf("read\n%s\n%w", document, err)
		}
		if len(o) > 0 {
			objects = append(objects, o)
		}
	}
	return objects, nil
}

// Format writes objects as a stream of YAML documents.
func Format(objects []Object) ([]byte, error) {
	var text []byte
	for _, o := range objects {
		document, err := yaml.Marshal(o)
		if err != nil {
			return nil, fmt.Errorf("write %s: %w", o, err)
		}
		text = append(append(text, "---\n"...), document...)
	}
	return text, nil
}

// Kind returns the kind of an object.
func (o Object) Kind() string { return o.Text("kind") }

// Name returns the name of an object.
func (o Object) Name() string { return o.Text("metadata", "name") }

// String returns an object's kind and name, such as Deployment/agent-state.
func (o Object) String() string { return o.Kind() + "/" + o.Name() }

// Text returns the text at a path, or nothing.
func (o Object) Text(path ...string) string {
	text, _ := o.At(path...).(string)
	return text
}

// At returns what stands at a path, or nil.
func (o Object) At(path ...string) any {
	var at any = map[string]any(o)
	for _, key := range path {
		m, ok := at.(map[string]any)
		if !ok {
			return nil
		}
		at = m[key]
	}
	return at
}
