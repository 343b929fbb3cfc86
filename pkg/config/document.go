package config

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

const (
	emptyFile  = "the file is empty: it wants tenants, each with a name, a region and exchanges"
	indicators = "anchors, aliases, merge keys and tags are not supported: quote a value that starts with &, *, << or !"
)

// readDocument reads the one YAML document of a file. Without a node, nothing of it can be read.
func readDocument(data []byte) (*yaml.Node, Problems) {
	loader, err := yaml.NewLoader(bytes.NewReader(data))
	if err != nil {
		return nil, Problems{syntaxProblem(data, err)}
	}
	var document, second yaml.Node
	switch err := loader.Load(&document); {
	case errors.Is(err, io.EOF):
		return nil, Problems{{Line: 1, Message: emptyFile}}
	case err != nil:
		return nil, Problems{syntaxProblem(data, err)}
	}
	root := document.Content[0]
	if root.ShortTag() == nullTag {
		return nil, Problems{{Line: 1, Message: emptyFile}}
	}
	d := decoder{}
	last := lines(data)
	d.restrict(root, last)
	switch err := loader.Load(&second); {
	case err == nil:
		d.problem(place{line: min(second.Line, last)}, "a second document starts here: one file is one document")
	case !errors.Is(err, io.EOF):
		d.problems = append(d.problems, syntaxProblem(data, err))
	}
	return root, d.problems
}

// restrict refuses what makes a document hard to read by line: anchors, aliases, merge keys and tags, which are also
// what an unquoted secret may look like. What is refused loses its kind, and is passed over from then on. Lines that
// the parser places behind the end of the file, since it knows more line breaks than an editor does, are moved to its
// last.
func (d *decoder) restrict(n *yaml.Node, last int) {
	n.Line = min(n.Line, last)
	if n.Kind == yaml.AliasNode || n.Anchor != "" || n.Style&yaml.TaggedStyle != 0 || n.Tag == "!!merge" {
		d.problem(place{line: n.Line}, indicators)
		*n = yaml.Node{Line: n.Line}
		return
	}
	for _, child := range n.Content {
		d.restrict(child, last)
	}
}

// syntaxProblem translates an error of the parser. It leaves out those of its words that quote the file.
func syntaxProblem(data []byte, err error) Problem {
	e, ok := errors.AsType[*yaml.LoadError](err)
	if !ok {
		return Problem{Line: 1, Message: "not readable as YAML"}
	}
	line, message := e.Mark.Line, "not readable as YAML: "+e.Message
	if e.ContextMsg != "" {
		message += " " + e.ContextMsg
	}
	switch {
	case e.Stage == yaml.ReaderStage:
		line = 1 + bytes.Count(data[:min(e.Mark.Index, len(data))], []byte("\n"))
		message = "not readable as YAML: a control character, or not UTF-8"
	case containsAny(message, "anchor", "alias", " tag"):
		message = indicators
	case strings.Contains(e.Message, "cannot start any token"):
		message += " (indent with spaces, quote a value that starts with @, % or `)"
	case e.Stage == yaml.ScannerStage && e.ContextMark.Line > 0:
		line = e.ContextMark.Line // Where a quote or a key begins that does not end.
	case strings.HasSuffix(message, "a flow mapping"):
		message += ` (between { and } a value such as "${NAME}" needs quotes)`
	}
	return Problem{Line: min(max(line, 1), lines(data)), Message: message}
}

func containsAny(s string, parts ...string) bool {
	for _, part := range parts {
		if strings.Contains(s, part) {
			return true
		}
	}
	return false
}

// lines counts the lines of a file as an editor does. An empty file has one.
func lines(data []byte) int {
	return max(1, bytes.Count(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))+1)
}

// find returns the key and the value of a mapping. A key that ends in "_file" is found by its name without that too.
func find(n *yaml.Node, name string) (key, value *yaml.Node) {
	for pair := range pairs(n) {
		if pair[0].Value == name || pair[0].Value == name+fileSuffix {
			return pair[0], pair[1]
		}
	}
	return nil, nil
}

// lineOf returns the line of the key that a dotted path such as "webhook.codes[1].secret" names, or that of the nearest
// parent which exists, starting with the given line of the root.
func lineOf(root *yaml.Node, line int, path string) int {
	if root == nil {
		return line
	}
	node := root
	for step := range strings.SplitSeq(strings.ReplaceAll(path, "[", ".["), ".") {
		key, value := find(node, step)
		if index, isIndex := strings.CutPrefix(step, "["); isIndex {
			key, value = element(node, strings.TrimSuffix(index, "]"))
		}
		if key == nil {
			break
		}
		node, line = value, key.Line
	}
	return line
}

func element(n *yaml.Node, index string) (key, value *yaml.Node) {
	i, err := strconv.Atoi(index)
	if err != nil || n.Kind != yaml.SequenceNode || i < 0 || i >= len(n.Content) {
		return nil, nil
	}
	return n.Content[i], n.Content[i]
}
