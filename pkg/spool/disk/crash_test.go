package disk_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/switchhook/switchhook/pkg/logtest"
	"github.com/switchhook/switchhook/pkg/spool/disk"
)

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func writeFile(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Wherever the file ends after a crash, each record that is whole is read back, and the torn one is cut.
func TestCut(t *testing.T) {
	template := t.TempDir()
	segment, ends := write(t, template, records(4)...)
	whole := readFile(t, segment)
	for length := range len(whole) + 1 {
		folder := t.TempDir()
		writeFile(t, filepath.Join(folder, filepath.Base(segment)), whole[:length])
		fit := 0
		for _, end := range ends {
			if end <= length {
				fit++
			}
		}
		var said logtest.Log
		compare(t, records(fit), take(t, folder, &said))
		if torn := length > 0 && !slices.Contains(ends, length); torn != strings.Contains(said.String(), "unfinished") {
			t.Errorf("%d bytes: want a word in the log only if something is torn, have %q", length, &said)
		}
		if have := setAside(t, folder, "damaged"); len(have) != 0 {
			t.Errorf("%d bytes: want nothing set aside, have %q", length, have)
		}
	}
}

// However one byte changes, all other records are read back, and the bytes around it are set aside.
func TestOneByte(t *testing.T) {
	segment, _ := write(t, t.TempDir(), records(5)...)
	whole := readFile(t, segment)
	for at := range whole {
		damaged := bytes.Clone(whole)
		damaged[at] ^= 0x41
		folder := t.TempDir()
		writeFile(t, filepath.Join(folder, filepath.Base(segment)), damaged)
		var said logtest.Log
		have := take(t, folder, &said)
		if want := 4; len(have) != want || !subsequence(have, records(5)) {
			t.Fatalf("byte %d: want %d of the records, have %v", at, want, have)
		}
		aside := setAside(t, folder, "damaged")
		// The length of the last frame may say that it was never finished.
		if torn := len(aside) == 0 && strings.Contains(said.String(), "unfinished"); !torn && (len(aside) != 1 ||
			!bytes.Contains(damaged, []byte(aside[0])) || !strings.Contains(said.String(), "damaged bytes set aside")) {
			t.Fatalf("byte %d: want the damage set aside, and said so, have %q: %s", at, aside, &said)
		}
	}
}

func subsequence(part, all []disk.Record) bool {
	for _, r := range all {
		if len(part) > 0 && same(part[0], r) {
			part = part[1:]
		}
	}
	return len(part) == 0
}

// A record that holds frames, of its own segment's format or of another segment, is never read as those, however it is damaged.
func TestForgedFrames(t *testing.T) {
	other, _ := write(t, t.TempDir(), records(3)...)
	inner := readFile(t, other)
	folder := t.TempDir()
	segment, _ := write(t, folder, disk.Record{ID: "hostile", At: time.Now(), Data: inner}, record(7))
	data := readFile(t, segment)
	data[20] ^= 1 // in the first record's time
	writeFile(t, segment, data)
	compare(t, []disk.Record{record(7)}, take(t, folder, &logtest.Log{}))
}

// Whatever bytes follow a crash, every record that was synced before is read back, nothing else is, and what is no torn frame
// and not just zeros is set aside.
func FuzzTail(f *testing.F) {
	f.Add(3, []byte{}, 0)
	f.Add(1, []byte("garbage"), 5)
	f.Add(2, make([]byte, 4096), 100)
	f.Add(0, []byte{0xff}, 17)
	f.Fuzz(func(t *testing.T, n int, tail []byte, torn int) {
		n = abs(n) % 8
		folder := t.TempDir()
		segment, ends := write(t, folder, append(records(n), record(99))...)
		data := readFile(t, segment)
		end := append([]int{0}, ends...)[n]
		last := data[end:]
		torn = abs(torn) % len(last) // the beginning of one more frame
		tail = append(last[:torn:torn], tail...)
		if bytes.HasPrefix(tail, last) {
			return // it is whole by chance
		}
		writeFile(t, segment, append(data[:end:end], tail...))
		compare(t, records(n), take(t, folder, &logtest.Log{}))
		for _, aside := range setAside(t, folder, "damaged") {
			if aside != string(tail) {
				t.Errorf("want the tail set aside, %q, have %q", tail, aside)
			}
		}
	})
}

// Wherever bytes are overwritten, what they do not touch is read back, nothing is read that was not written, and no byte that is
// not zero is lost.
func FuzzDamage(f *testing.F) {
	f.Add(4, 30, []byte("damage"))
	f.Add(7, 0, make([]byte, 40))
	f.Add(2, 60, bytes.Repeat([]byte{0xff}, 100))
	f.Fuzz(func(t *testing.T, n, at int, damage []byte) {
		n = 1 + abs(n)%8
		folder := t.TempDir()
		segment, ends := write(t, folder, records(n)...)
		data := readFile(t, segment)
		at = abs(at) % len(data)
		damage = damage[:min(len(damage), len(data)-at)]
		damaged := append(bytes.Clone(data[:at]), append(damage, data[at+len(damage):]...)...)
		writeFile(t, segment, damaged)
		want, from := 0, 0
		for _, to := range ends {
			if bytes.Equal(data[from:to], damaged[from:to]) {
				want++
			}
			from = to
		}
		have := take(t, folder, &logtest.Log{})
		if len(have) != want || !subsequence(have, records(n)) {
			t.Errorf("want %d of %v, have %v", want, records(n), have)
		}
		for _, aside := range setAside(t, folder, "damaged") {
			if !bytes.Contains(damaged, []byte(aside)) {
				t.Errorf("want what is set aside to be of the segment, have %q", aside)
			}
		}
	})
}

func abs(n int) int { return max(n, -(n + 1)) }
