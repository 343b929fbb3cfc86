package lint_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/switchhook/switchhook/test/k8s/manifests"
)

// exception is a complaint of kube-score that is not heeded.
type exception struct {
	Check   string `json:"check"`
	In      string `json:"in"`      // a regular expression for the name of what was rendered
	Objects string `json:"objects"` // a regular expression for Kind/name
	Comment string `json:"comment"` // a part of what is complained about; empty: anything
	Reason  string `json:"reason"`
	used    bool
}

// The policy linter has nothing to say but what exceptions.yaml lists, with reasons; and all that is listed it does say.
func TestScore(t *testing.T) {
	text, err := os.ReadFile("exceptions.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var exceptions []*exception
	if err := yaml.UnmarshalStrict(text, &exceptions); err != nil {
		t.Fatal(err)
	}
	for _, e := range exceptions {
		if e.Reason == "" {
			t.Errorf("want a reason for the exception of %s, have none", e.Check)
		}
	}
	for set, w := range worlds(t) {
		for _, object := range kubeScore(t, w.objects) {
			name := object.Type.Kind + "/" + object.Meta.Name
			for _, verdict := range object.Checks {
				if verdict.Skipped || verdict.Grade > 5 {
					continue
				}
				for _, c := range verdict.Comments {
					said := strings.TrimSpace(c.Path + " " + c.Summary + ": " + c.Description)
					if !excepted(exceptions, set, verdict.Check.ID, name, said) {
						t.Errorf("%s: %s: %s: %s", set, name, verdict.Check.ID, said)
					}
				}
			}
		}
	}
	for _, e := range exceptions {
		if !e.used {
			t.Errorf("want no exception that nothing needs, have %s of %q", e.Check, e.Objects)
		}
	}
}

func excepted(exceptions []*exception, set, check, object, said string) bool {
	for _, e := range exceptions {
		if e.Check == check && matches(e.In, set) && matches(e.Objects, object) && strings.Contains(said, e.Comment) {
			e.used = true
			return true
		}
	}
	return false
}

func matches(pattern, text string) bool {
	return regexp.MustCompile("^(" + pattern + ")$").MatchString(text)
}

// scored is what kube-score says of an object.
type scored struct {
	Type struct {
		Kind string `json:"kind"`
	} `json:"type_meta"`
	Meta struct {
		Name string `json:"name"`
	} `json:"object_meta"`
	Checks []struct {
		Check struct {
			ID string `json:"id"`
		} `json:"check"`
		Grade    int  `json:"grade"` // 1 critical, 5 warning, 7 and 10 good
		Skipped  bool `json:"skipped"`
		Comments []struct {
			Path, Summary, Description string
		} `json:"comments"`
	} `json:"checks"`
}

func kubeScore(t *testing.T, objects []manifests.Object) (all []scored) {
	t.Helper()
	text, err := manifests.Format(objects)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "rendered.yaml")
	write(t, file, string(text))
	cmd := exec.CommandContext(t.Context(), "go", "tool", "kube-score", "score", "--output-format", "json",
		"--kubernetes-version", "v1.36", "--enable-optional-test", "container-seccomp-profile,container-ports-check", file)
	cmd.Dir = "../tools"
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, _ := cmd.Output() // it exits with 1 when it has something to say
	if err := json.Unmarshal(out, &all); err != nil || len(all) == 0 {
		t.Fatalf("want the score as JSON, have %v: %s", err, &complaint)
	}
	return all
}
