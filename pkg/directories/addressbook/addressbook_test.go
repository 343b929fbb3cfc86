package addressbook_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/switchhook/switchhook/pkg/directories/addressbook"
)

func ExampleReadCSV() {
	book, err := addressbook.ReadCSV([]byte("Name;Phone;Company\nJan Novák;777 888 999;Globex\n"), addressbook.Columns{}, "CZ")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, entry := range book.Find("+420777888999") {
		fmt.Println(entry.Name, entry.Organisation, entry.Number)
	}
	// Output:
	// Jan Novák Globex 777 888 999
}

func TestReadCSV(t *testing.T) {
	tests := map[string]struct {
		data    string
		columns addressbook.Columns
		want    []string // what has +420777888999
	}{
		"comma":             {data: "name,number\nJan,777888999\n", want: []string{"Jan|||||777888999"}},
		"semicolon":         {data: "name;number\nJan;777888999\n", want: []string{"Jan|||||777888999"}},
		"tabulator":         {data: "name\tnumber\nJan\t777888999\n", want: []string{"Jan|||||777888999"}},
		"byte order mark":   {data: "\ufeffname,number\nJan,777888999\n", want: []string{"Jan|||||777888999"}},
		"lines of Windows":  {data: "name,number\r\nJan,777888999\r\n\r\n", want: []string{"Jan|||||777888999"}},
		"no end of line":    {data: "name,number\nJan,777888999", want: []string{"Jan|||||777888999"}},
		"blank lines":       {data: "\n\nname,number\n\n  \nJan,777888999\n\n", want: []string{"Jan|||||777888999"}},
		"quoted":            {data: "name,number\n\"Novák, \"\"Jan\"\"\",\"777 888 999\"\n", want: []string{`Novák, "Jan"|||||777 888 999`}},
		"quoted, two lines": {data: "name,number\n\"Jan\nNovák\",777888999\n", want: []string{"Jan Novák|||||777888999"}},
		"usual headers": {
			data: "URL,Responsible Email,responsible-extension,Company,Mobile Phone,Full Name\nu,e@x,101,Globex,777888999,Jan\n",
			want: []string{"Jan|Globex|101|e@x|u|777888999"},
		},
		"Czech headers": {data: "Jméno;Firma;Telefon\nJan;Globex;777888999\n", want: []string{"Jan|Globex||||777888999"}},
		"headers by configuration": {
			data:    "First,Last,Works For,A,B,Who,Mail,Card\nJan,Novák,Globex,,777888999,101,e@x,u\n",
			columns: addressbook.Columns{[]string{"first", "LAST"}, []string{"A", "B"}, "works for", "who", "mail", "card"},
			want:    []string{"Jan Novák|Globex|101|e@x|u|777888999"},
		},
		"several in order":      {data: "name,number\nB,777888999\nA,+420 777 888 999\n", want: []string{"B|||||777888999", "A|||||+420 777 888 999"}},
		"several numbers":       {data: "name,phone,mobile\nJan,222333444,777888999\n", want: []string{"Jan|||||777888999"}},
		"the same number twice": {data: "name,phone,mobile\nJan,00420777888999,777888999\n", want: []string{"Jan|||||00420777888999"}},
		"an extension behind":   {data: "name,number\nJan,777888999 ext. 12\n", want: []string{"Jan|||||777888999 ext. 12"}},
		"two in a field":        {data: "name;number\nJan;777888999, 222333444\n", want: []string{"Jan|||||777888999, 222333444"}},
		"a name is missing":     {data: "name,company,number\n,Globex,777888999\n", want: []string{"Globex|Globex||||777888999"}},
		"another number":        {data: "name,number\nJan,777888998\n"},
		"header only":           {data: "name,number\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			book, err := addressbook.ReadCSV([]byte(test.data), test.columns, "CZ")
			if err != nil || len(book.Problems) > 0 {
				t.Fatalf("want no error, have %v %v", err, book.Problems)
			}
			if have := entries(book, "+420777888999"); !slices.Equal(test.want, have) {
				t.Errorf("want %q, have %q", test.want, have)
			}
		})
	}
}

func TestReadCSVTrunkPrefix(t *testing.T) {
	tests := map[string]struct{ region, stored, e164 string }{
		"0 in SK":        {"SK", "0905/123 456", "+421905123456"},
		"8 in RU":        {"RU", "8 (920) 111-96-13", "+79201119613"},
		"none in CZ":     {"CZ", "777 888 999", "+420777888999"},
		"00":             {"CZ", "00421 905 123 456", "+421905123456"},
		"an URI":         {"CZ", "tel:+420-777-888-999;ext=12", "+420777888999"},
		"significant SK": {"SK", "905123456", "+421905123456"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			book, err := addressbook.ReadCSV([]byte("name;number\nJan;\""+test.stored+"\"\n"), addressbook.Columns{}, test.region)
			if err != nil || len(book.Find(test.e164)) != 1 {
				t.Errorf("want %s found, have %v, %v", test.e164, book, err)
			}
		})
	}
}

func TestReadCSVProblems(t *testing.T) {
	data := strings.Join([]string{
		"name,number", "Jan,777888999", "too,many,fields", "few", `"open,777888998`, `Pe"tr,777888997`, "\xe1,777888996", "Eva,vip",
		",777888995", "No,", "\"two", "lines\",101", "Ota,777888994",
	}, "\n")
	book, err := addressbook.ReadCSV([]byte(data), addressbook.Columns{}, "CZ")
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, p := range book.Problems {
		have = append(have, fmt.Sprintf("%d %s", p.Line, p.Message))
	}
	want := []string{
		"3 has 3 fields, the header row 2", "4 has 1 fields, the header row 2", "5 has a quotation mark in the wrong place",
		"6 has a quotation mark in the wrong place", "7 is not UTF-8", "8 has no number that can be read", "9 has no name",
		"11 has no number that can be read",
	}
	if !slices.Equal(want, have) {
		t.Errorf("want %q\nhave %q", want, have)
	}
	if book.Contacts != 2 || book.WithoutNumber != 1 {
		t.Errorf("want 2 contacts and 1 without number, have %d and %d", book.Contacts, book.WithoutNumber)
	}
}

func TestReadCSVOpenQuotationMark(t *testing.T) {
	data := "name,number\n\"open,777888998\n" + strings.Repeat("Jan,777888999\n", 200)
	book, err := addressbook.ReadCSV([]byte(data), addressbook.Columns{}, "CZ")
	if err != nil {
		t.Fatal(err)
	}
	want := []addressbook.Problem{{Line: 2, Message: "has a quotation mark that nobody closed"}}
	if !slices.Equal(want, book.Problems) || book.Contacts != 200 {
		t.Errorf("want %v and 200 contacts, have %v and %d", want, book.Problems, book.Contacts)
	}
}

func TestReadCSVErrors(t *testing.T) {
	tests := map[string]struct {
		data    string
		columns addressbook.Columns
		want    string
	}{
		"empty":             {want: "want a header row, have nothing"},
		"not UTF-8":         {data: "n\xe1me,number\n", want: "want a header row, have is not UTF-8"},
		"UTF-16":            {data: "\xff\xfen\x00", want: "want UTF-8, have UTF-16"},
		"no numbers":        {data: "name,age\n", want: "header row: has no column for numbers: name it under columns.number"},
		"no names":          {data: "number,age\n", want: "header row: has no column for names: name it under columns.name"},
		"configured column": {data: "name,number\n", columns: addressbook.Columns{Name: []string{"Who"}, URL: "Card"}, want: `header row: has no column "Who", "Card"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := addressbook.ReadCSV([]byte(test.data), test.columns, "CZ")
			if err == nil || err.Error() != test.want {
				t.Errorf("want %q, have %v", test.want, err)
			}
		})
	}
}

func card(lines ...string) string {
	return "BEGIN:VCARD\r\n" + strings.Join(lines, "\r\n") + "\r\nEND:VCARD\r\n"
}

func TestReadVCard(t *testing.T) {
	tests := map[string]struct {
		data string
		want []string
	}{
		"version 3": {
			card("VERSION:3.0", "FN:Jan Novák", "N:Novák;Jan;;;", "ORG:Globex\\, Inc.;Sales", "TEL;TYPE=CELL:777 888 999", "URL:https://x/1"),
			[]string{"Jan Novák|Globex, Inc.|||https://x/1|777 888 999"},
		},
		"version 4, URI": {
			card("VERSION:4.0", "FN:Jan", "TEL;VALUE=uri;TYPE=\"voice,cell\":tel:+420-777-888-999;ext=5"),
			[]string{"Jan|||||tel:+420-777-888-999;ext=5"},
		},
		"link":               {card("VERSION:4.0", "FN:Jan", "TEL:777888999", "URL:https://x/1"), []string{"Jan||||https://x/1|777888999"}},
		"responsible":        {card("VERSION:4.0", "FN:Jan", "TEL:777888999", "X-RESPONSIBLE-EXTENSION:101", "X-RESPONSIBLE-EMAIL:e@x"), []string{"Jan||101|e@x||777888999"}},
		"grouped and folded": {card("VERSION:3.0", "FN:Ja", " n", "NOTE:x", " END:VCARD", "item1.TEL:777888999"), []string{"Jan|||||777888999"}},
		"company":            {card("VERSION:3.0", "FN:", "ORG:Globex", "TEL:777888999"), []string{"Globex|Globex||||777888999"}},
		"several": {
			"\ufeff" + card("VERSION:3.0", "FN:B", "TEL:777888999") + "\n" + card("VERSION:3.0", "FN:A", "TEL:222333444", "TEL:777888999"),
			[]string{"B|||||777888999", "A|||||777888999"},
		},
		"lower case, bare line feeds": {"begin:vcard\nversion:3.0\nfn:Jan\ntel:777888999\nend:vcard", []string{"Jan|||||777888999"}},
		"empty":                       {"", nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			book := addressbook.ReadVCard([]byte(test.data), "CZ")
			if len(book.Problems) > 0 {
				t.Errorf("want no problems, have %v", book.Problems)
			}
			if have := entries(book, "+420777888999"); !slices.Equal(test.want, have) {
				t.Errorf("want %q, have %q", test.want, have)
			}
		})
	}
}

func TestReadVCardProblems(t *testing.T) {
	data := card("VERSION:2.1", "FN:Old", "TEL:777888999") +
		card("FN:None", "TEL:777888999") +
		"BEGIN:VCARD\nVERSION:3.0\nFN:Open\n" +
		card("VERSION:3.0", "FN:\xe1", "TEL:777888999") +
		card("VERSION:3.0", "FN:Jan", "TEL:vip") +
		card("VERSION:3.0", "TEL:777888999") +
		card("VERSION:3.0", "FN:No") +
		card("VERSION:3.0", "FN:Jan", "TEL:777888999") +
		"BEGIN:VCARD\n"
	book := addressbook.ReadVCard([]byte(data), "CZ")
	want := []addressbook.Problem{
		{Line: 1, Message: "is no vCard of version 3.0 or 4.0"},
		{Line: 6, Message: "is no vCard of version 3.0 or 4.0"},
		{Line: 10, Message: "has no end"},
		{Line: 13, Message: "is not UTF-8"},
		{Line: 18, Message: "has no number that can be read"},
		{Line: 23, Message: "has no name"},
		{Line: 36, Message: "has no end"},
	}
	if !slices.Equal(want, book.Problems) || book.Contacts != 1 || book.WithoutNumber != 1 {
		t.Errorf("want %v\nhave %v, %d, %d", want, book.Problems, book.Contacts, book.WithoutNumber)
	}
}

func entries(book *addressbook.Book, e164 string) []string {
	var all []string
	for _, e := range book.Find(e164) {
		fields := []string{e.Name, e.Organisation, e.ResponsibleExtension, e.ResponsibleEmail, e.URL, e.Number}
		all = append(all, strings.Join(fields, "|"))
	}
	return all
}

// FuzzReadCSV adds good rows to what it is given, and counts.
func FuzzReadCSV(f *testing.F) {
	for _, seed := range []string{"", "Jan,777888999", "a,b,c", `"open`, "\"two\nlines\",1", "\xff", ",", "\r\n\r", `"a"b,1`, "\"\"\"\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, middle []byte) {
		data := slices.Concat([]byte("name,number\nFirst,+420777888999\n"), middle, []byte("\n"), bytes.Repeat([]byte("Last,+420777888999\n"), 100))
		book, err := addressbook.ReadCSV(data, addressbook.Columns{}, "CZ")
		if err != nil {
			t.Fatal(err)
		}
		sum := book.Contacts + book.WithoutNumber + len(book.Problems)
		rows := -1 // The header is none.
		for line := range bytes.Lines(data) {
			if len(bytes.TrimSpace(line)) > 0 {
				rows++
			}
		}
		// Rows of several lines need quotation marks.
		if sum > rows || sum < rows && !bytes.ContainsRune(middle, '"') {
			t.Errorf("want %d rows, have %d", rows, sum)
		}
		if found := len(book.Find("+420777888999")); found < 101 {
			t.Errorf("want the 101 good rows whatever stands between them, have %d", found)
		}
	})
}

func FuzzReadVCard(f *testing.F) {
	good := card("VERSION:3.0", "FN:Jan", "TEL:777888999")
	for _, seed := range []string{"", good, "BEGIN:VCARD\n", "END:VCARD\n", "BEGIN:VCARD\nTEL;x=\":1\nEND:VCARD\n", "\xff", " "} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, middle []byte) {
		data := slices.Concat([]byte(good), middle, []byte("\n"+good))
		book := addressbook.ReadVCard(data, "CZ")
		begins := 0
		for _, line := range strings.Split(string(data), "\n") {
			if strings.EqualFold(strings.TrimRight(line, " \t\r\n"), "BEGIN:VCARD") {
				begins++
			}
		}
		if have := book.Contacts + book.WithoutNumber + len(book.Problems); begins != have {
			t.Errorf("want %d cards in all, have %d: %v", begins, have, book.Problems)
		}
		if found := len(book.Find("+420777888999")); found < 2 {
			t.Errorf("want both good cards whatever stands between them, have %d", found)
		}
	})
}

func big() []byte {
	var b bytes.Buffer
	b.WriteString("name;organisation;number;mobile;url\n")
	for i := range 100_000 {
		fmt.Fprintf(&b, "Contact %d;\"Globex, a. s.\";777 %03d %03d;+420 222 %03d %03d;https://crm.example/contact/%d\n",
			i, i/1000, i%1000, i/1000, i%1000, i)
	}
	return b.Bytes()
}

func BenchmarkReadCSV100000(b *testing.B) {
	data := big()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if book, err := addressbook.ReadCSV(data, addressbook.Columns{}, "CZ"); err != nil || book.Contacts != 100_000 {
			b.Fatal(err, book.Contacts)
		}
	}
}

func BenchmarkFind(b *testing.B) {
	book, err := addressbook.ReadCSV(big(), addressbook.Columns{}, "CZ")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if len(book.Find("+420777042042")) != 1 {
			b.Fatal("not found")
		}
	}
}
