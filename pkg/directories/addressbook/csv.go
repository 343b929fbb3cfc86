package addressbook

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxLines is the greatest number of lines of one quoted row. A quotation mark that nobody closed costs no more than its
// own line.
const maxLines = 100

// Columns say by their headers which columns of a CSV file hold what. Letter case, spaces and punctuation of headers do not
// count. The zero value takes usual headers.
type Columns struct {
	Name                 []string `yaml:"name"`   // joined by a space
	Numbers              []string `yaml:"number"` // each may hold one
	Organisation         string   `yaml:"organisation"`
	ResponsibleExtension string   `yaml:"responsible_extension"`
	ResponsibleEmail     string   `yaml:"responsible_email"`
	URL                  string   `yaml:"url"`
}

// usual returns the headers that are taken for a column where the configuration names none.
func usual(column string) []string {
	return map[string][]string{
		"name": {"name", "full name", "display name", "contact", "jméno", "meno", "имя"},
		"number": {
			"number", "phone", "phone number", "telephone", "tel", "mobile", "mobile phone", "cell", "business phone", "home phone",
			"phone 1 - value", "phone 2 - value", "phone 3 - value", "telefon", "telefón", "mobil", "телефон",
		},
		"organisation":          {"organisation", "organization", "company", "firma", "společnost", "компания"}, //nolint:misspell // Headers can be American.
		"responsible_extension": {"responsible_extension", "extension"},
		"responsible_email":     {"responsible_email", "owner email"},
		"url":                   {"url", "link"},
	}[column]
}

// columns are the places of what is wanted in a row; none where there is none.
type columns struct {
	name, numbers                       []int
	organisation, extension, email, url []int
}

// ReadCSV reads a header row and rows, in UTF-8, separated by what stands most often in the header row: a comma, a semicolon
// or a tabulator. Numbers are read by the plan of the region. An error means that nothing can be read; the contacts that
// cannot be, and those without a number, add up with the others to the rows that are not blank.
func ReadCSV(data []byte, want Columns, region string) (*Book, error) {
	b := &Book{byNumber: make(map[string][]Entry)}
	return b, b.readCSV(data, want, region)
}

func (b *Book) readCSV(data []byte, want Columns, region string) error {
	if bytes.HasPrefix(data, []byte("\xfe\xff")) || bytes.HasPrefix(data, []byte("\xff\xfe")) {
		return fmt.Errorf("want UTF-8, have UTF-16")
	}
	s := rows{data: bytes.TrimPrefix(data, []byte("\ufeff"))}
	header, line, problem := s.next()
	if problem != "" || line == 0 {
		return fmt.Errorf("want a header row, have %s", cmp.Or(problem, "nothing"))
	}
	s.comma = separator(header)
	names, problem := s.split(header)
	if problem != "" {
		return fmt.Errorf("header row: %s", problem)
	}
	at, err := locate(names, want)
	if err != nil {
		return err
	}
	for {
		row, line, problem := s.next()
		if line == 0 {
			return nil
		}
		var fields []string
		if problem == "" {
			fields, problem = s.split(row)
		}
		if problem == "" && len(fields) != len(names) {
			problem = fmt.Sprintf("has %d fields, the header row %d", len(fields), len(names))
		}
		if problem != "" && s.line > line {
			// What joined several lines was most likely no quotation.
			problem = "has a quotation mark in the wrong place"
			s.backToSecondLine()
		}
		if problem != "" {
			b.problem(line, problem)
			continue
		}
		b.add(line, at.contact(fields), pick(fields, at.numbers), region)
	}
}

// locate finds the columns in the header row.
func locate(names []string, want Columns) (columns, error) {
	var missing []string
	find := func(key string, configured ...string) []int {
		configured = slices.DeleteFunc(configured, func(s string) bool { return s == "" })
		wanted, all := configured, len(configured) > 0
		if !all {
			wanted = usual(key)
		}
		var at []int
		for _, name := range wanted {
			i := slices.IndexFunc(names, func(header string) bool { return sameHeader(header, name) })
			if i >= 0 && (all || !slices.Contains(at, i)) {
				at = append(at, i)
			} else if i < 0 && all {
				missing = append(missing, fmt.Sprintf("%q", name))
			}
		}
		return at
	}
	c := columns{
		name: find("name", want.Name...), numbers: find("number", want.Numbers...),
		organisation: find("organisation", want.Organisation), extension: find("responsible_extension", want.ResponsibleExtension),
		email: find("responsible_email", want.ResponsibleEmail), url: find("url", want.URL),
	}
	if len(want.Name) == 0 {
		c.name = c.name[:min(1, len(c.name))]
	}
	switch {
	case len(missing) > 0:
		return c, fmt.Errorf("header row: has no column %s", strings.Join(missing, ", "))
	case len(c.numbers) == 0:
		return c, fmt.Errorf("header row: has no column for numbers: name it under columns.number")
	case len(c.name) == 0 && len(c.organisation) == 0:
		return c, fmt.Errorf("header row: has no column for names: name it under columns.name")
	}
	return c, nil
}

func sameHeader(a, b string) bool {
	letters := func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}
	return strings.TrimSpace(a) == b || strings.Map(letters, b) != "" && strings.Map(letters, a) == strings.Map(letters, b)
}

func (c columns) contact(fields []string) Contact {
	first := func(at []int) string {
		if len(at) == 0 {
			return ""
		}
		return strings.TrimSpace(fields[at[0]])
	}
	return Contact{
		Name:         strings.Join(strings.Fields(strings.Join(pick(fields, c.name), " ")), " "),
		Organisation: first(c.organisation), ResponsibleExtension: first(c.extension),
		ResponsibleEmail: first(c.email), URL: first(c.url),
	}
}

func pick(fields []string, at []int) []string {
	picked := make([]string, len(at))
	for i, j := range at {
		picked[i] = fields[j]
	}
	return picked
}

// rows takes a CSV file apart so that a broken row costs no other.
type rows struct {
	data   []byte // what is left
	line   int    // the number of the last line before that
	comma  rune
	second struct { // the same when the last row had but one line
		data []byte
		line int
	}
}

// next returns the next row that is not blank, with the number of its first line, which is 0 at the end, and what is wrong
// with it.
func (s *rows) next() (row []byte, line int, problem string) {
	for {
		if len(s.data) == 0 {
			return nil, 0, ""
		}
		end := lineEnd(s.data)
		s.line++
		line = s.line
		s.second.data, s.second.line = s.data[end:], line
		lines := 1
		if odd(s.data[:end]) {
			if n, more := s.quoted(end); more > 0 {
				end, lines = n, 1+more
			} else {
				problem = "has a quotation mark that nobody closed"
			}
		}
		row, s.data = s.data[:end], s.data[end:]
		s.line += lines - 1
		row = bytes.TrimRight(row, "\r\n")
		if len(bytes.TrimSpace(row)) == 0 {
			continue
		}
		if problem == "" && !utf8.Valid(row) {
			problem = "is not UTF-8"
		}
		return row, line, problem
	}
}

// backToSecondLine has the last row end after its first line: a quotation mark that nobody closed has joined good rows to it.
func (s *rows) backToSecondLine() { s.data, s.line = s.second.data, s.second.line }

// quoted returns where a row ends whose first line ends within quotation marks, and how many further lines it has; none if
// it does not end.
func (s *rows) quoted(end int) (int, int) {
	for more := 1; more < maxLines && end < len(s.data); more++ {
		start := end
		end += lineEnd(s.data[start:])
		if odd(s.data[start:end]) {
			return end, more
		}
	}
	return 0, 0
}

// split takes a row apart.
func (s *rows) split(row []byte) (fields []string, problem string) {
	if !bytes.ContainsRune(row, '"') {
		return strings.Split(string(row), string(s.comma)), ""
	}
	r := csv.NewReader(bytes.NewReader(row))
	r.Comma = s.comma
	fields, err := r.Read()
	if err != nil {
		return nil, "has a quotation mark in the wrong place"
	}
	return fields, ""
}

// separator returns what stands most often in the header row, of the usual ones.
func separator(header []byte) rune {
	best := ','
	for _, r := range ";\t" {
		if bytes.Count(header, []byte(string(r))) > bytes.Count(header, []byte(string(best))) {
			best = r
		}
	}
	return best
}

// lineEnd returns where the first line ends, behind its end mark.
func lineEnd(data []byte) int {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1
	}
	return len(data)
}

func odd(line []byte) bool { return bytes.Count(line, []byte(`"`))%2 == 1 }
