package manifests

import (
	"path/filepath"
)

// World is a set of objects that somebody may deploy.
type World struct {
	Name    string
	Objects []Object
}

// Worlds renders all that is to be judged: the overlays, the base, and the base with each component. scratch makes a folder.
func Worlds(scratch func() string) ([]World, error) {
	objects, err := Compose(scratch())
	if err != nil {
		return nil, err
	}
	worlds := []World{{"base", objects}}
	overlays, err := folders("k8s/overlays")
	if err != nil {
		return nil, err
	}
	for _, folder := range overlays {
		if objects, err = Kustomize(folder); err != nil {
			return nil, err
		}
		worlds = append(worlds, World{filepath.Base(folder), objects})
	}
	components, err := folders("k8s/components")
	if err != nil {
		return nil, err
	}
	for _, folder := range components {
		needed := []string{folder}
		if filepath.Base(folder) == "keda" { // it scales on what these servers say
			needed = append(needed, filepath.Join(filepath.Dir(folder), "nats"))
		}
		if objects, err = Compose(scratch(), needed...); err != nil {
			return nil, err
		}
		worlds = append(worlds, World{"base with " + filepath.Base(folder), objects})
	}
	return worlds, nil
}
