package manifests

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
)

// Helm renders the chart with values in the namespace switchhook.
func Helm(values map[string]any) ([]Object, error) {
	chart, err := loader.Load(filepath.Join(Root, "deploy/helm/switchhook"))
	if err != nil {
		return nil, fmt.Errorf("load the chart: %w", err)
	}
	release := chartutil.ReleaseOptions{Name: "switchhook", Namespace: "switchhook", Revision: 1, IsInstall: true}
	all, err := chartutil.ToRenderValues(chart, values, release, chartutil.DefaultCapabilities)
	if err != nil {
		return nil, fmt.Errorf("merge the chart's values: %w", err)
	}
	files, err := engine.Engine{Strict: true}.Render(chart, all)
	if err != nil {
		return nil, fmt.Errorf("render the chart: %w", err)
	}
	var objects []Object
	for name, text := range files {
		if !strings.HasSuffix(name, ".yaml") {
			continue
		}
		parsed, err := Parse([]byte(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		objects = append(objects, parsed...)
	}
	slices.SortFunc(objects, func(a, b Object) int { return strings.Compare(a.String(), b.String()) })
	return objects, nil
}
