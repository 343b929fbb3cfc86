package web_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// textKeys returns the keys of a language's texts.
func textKeys(t *testing.T, code string) map[string]bool {
	t.Helper()
	keys := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^  "([^"]+)": `).FindAllStringSubmatch(source(t, "i18n/"+code+".js"), -1) {
		if keys[m[1]] {
			t.Errorf("%s: want each key once, have %s twice", code, m[1])
		}
		keys[m[1]] = true
	}
	return keys
}

// source returns the text of the page's modules by a pattern.
func source(t *testing.T, pattern string) string {
	t.Helper()
	names, err := filepath.Glob("page/" + pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("want modules %s, have %v, %v", pattern, names, err)
	}
	var all strings.Builder
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

func TestLanguagesHaveTheSameKeys(t *testing.T) {
	t.Parallel()
	english := textKeys(t, "en")
	for _, code := range []string{"cs", "sk", "ru"} {
		keys := textKeys(t, code)
		for key := range english {
			if !keys[key] {
				t.Errorf("%s: want a text %s, have none", code, key)
			}
		}
		for key := range keys {
			if !english[key] {
				t.Errorf("%s: want no text %s, as English has none", code, key)
			}
		}
	}
}

func TestTextsAreThoseThatAreUsed(t *testing.T) {
	t.Parallel()
	keys, code := textKeys(t, "en"), source(t, "*.js")
	for _, m := range regexp.MustCompile(`\bt\("([^"]+)"`).FindAllStringSubmatch(code, -1) {
		if !keys[m[1]] {
			t.Errorf("want a text %s, have none", m[1])
		}
	}
	for key := range keys {
		prefix := key[:strings.LastIndex(key, ".")+1]
		if !strings.Contains(code, `"`+key+`"`) && (prefix == "" || !strings.Contains(code, "`"+prefix+"${")) {
			t.Errorf("want no text that nobody uses, have %s", key)
		}
	}
}
