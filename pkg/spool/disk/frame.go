package disk

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"iter"
	"time"

	"github.com/switchhook/switchhook/pkg/fault"
)

// Record is what is kept. ID and Trace have 255 bytes at most.
type Record struct {
	ID    string
	At    time.Time // to the nanosecond; the zone is not kept
	Trace string
	Data  []byte
}

// A segment is a file of frames, one after another:
//
//	marker   8 bytes  the segment's own, random, also in its name
//	length   4 bytes  of the payload, little endian
//	checksum 4 bytes  CRC-32C of length and payload
//	payload           time (8 bytes), ID and trace (each a byte of length, and text), data
//
// Behind damage the next marker is where reading goes on. Nobody outside knows it, so no record can hold a frame that would be
// taken for one.
const (
	markerLength = 8
	headerLength = markerLength + 4 + 4
	// maxData keeps a damaged length from being believed.
	maxData    = 4 << 20
	maxPayload = 8 + 2*(1+255) + maxData
)

type marker [markerLength]byte

func (m marker) String() string { return hex.EncodeToString(m[:]) }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// check returns an error for a record that no frame can hold.
func (r *Record) check() error {
	if len(r.ID) > 255 || len(r.Trace) > 255 || len(r.Data) > maxData {
		return fault.New(fault.Invalid, "record %.40q is too long for a spool: %d bytes", r.ID, len(r.Data))
	}
	return nil
}

// appendFrame appends a record that was checked.
func appendFrame(b []byte, m marker, r *Record) []byte {
	b = append(b, m[:]...)
	header := len(b)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0)
	payload := len(b)
	b = binary.LittleEndian.AppendUint64(b, uint64(r.At.UnixNano())) //nolint:gosec // the same bits
	b = append(append(b, byte(len(r.ID))), r.ID...)
	b = append(append(b, byte(len(r.Trace))), r.Trace...)
	b = append(b, r.Data...)
	binary.LittleEndian.PutUint32(b[header:], uint32(len(b)-payload)) //nolint:gosec // at most maxPayload
	binary.LittleEndian.PutUint32(b[header+4:], checksum(b[header:header+4], b[payload:]))
	return b
}

func checksum(length, payload []byte) uint32 {
	return crc32.Update(crc32.Checksum(length, castagnoli), castagnoli, payload)
}

// frameLength is how many bytes a record takes.
func frameLength(r *Record) int64 {
	return int64(headerLength + 8 + 1 + len(r.ID) + 1 + len(r.Trace) + len(r.Data))
}

// readFrame reads the frame that data begins with. The record's data is a part of it. A length of 0 means that there is none.
func readFrame(data []byte, m marker) (r Record, length int) {
	if len(data) < headerLength || !bytes.HasPrefix(data, m[:]) {
		return Record{}, 0
	}
	size := binary.LittleEndian.Uint32(data[markerLength:])
	if size > maxPayload || int(size) > len(data)-headerLength {
		return Record{}, 0
	}
	payload := data[headerLength : headerLength+int(size)]
	if checksum(data[markerLength:markerLength+4], payload) != binary.LittleEndian.Uint32(data[markerLength+4:]) {
		return Record{}, 0
	}
	if !r.decode(payload) {
		return Record{}, 0
	}
	return r, headerLength + int(size)
}

func (r *Record) decode(payload []byte) bool {
	if len(payload) < 8 {
		return false
	}
	r.At = time.Unix(0, int64(binary.LittleEndian.Uint64(payload))).UTC() //nolint:gosec // the same bits
	id, rest, idThere := cutText(payload[8:])
	trace, data, traceThere := cutText(rest)
	r.ID, r.Trace, r.Data = id, trace, data
	return idThere && traceThere
}

func cutText(b []byte) (text string, rest []byte, ok bool) {
	if len(b) == 0 {
		return "", nil, false
	}
	end := 1 + int(b[0])
	if end > len(b) {
		return "", nil, false
	}
	return string(b[1:end]), b[end:], true
}

// piece is what stands at an offset of a segment: a record or, between records and at the end, bytes that are none.
type piece struct {
	offset int
	record Record
	broken []byte // nil: a record
	torn   bool   // what is broken is what a crash leaves of what was just being written
}

// pieces reads a segment, from its beginning to its end, whatever stands in it.
func pieces(data []byte, m marker) iter.Seq[piece] {
	return func(yield func(piece) bool) {
		for at := 0; at < len(data); {
			p := piece{offset: at}
			var length int
			if p.record, length = readFrame(data[at:], m); length == 0 {
				length = untilFrame(data[at:], m)
				p.broken = data[at : at+length]
				p.torn = at+length == len(data) && isTorn(p.broken, m)
			}
			if !yield(p) {
				return
			}
			at += length
		}
	}
}

// untilFrame returns how far it is to the next frame, or to the end.
func untilFrame(data []byte, m marker) int {
	for at := 1; ; at++ {
		found := bytes.Index(data[at:], m[:])
		if found < 0 {
			return len(data)
		}
		at += found
		if _, length := readFrame(data[at:], m); length > 0 {
			return at
		}
	}
}

// isTorn tells the beginning of a frame from one that was whole once. File systems may leave zeros for what was not written.
func isTorn(tail []byte, m marker) bool {
	if isZero(tail) {
		return true
	}
	if len(tail) < headerLength {
		return bytes.HasPrefix(tail, m[:min(len(tail), markerLength)])
	}
	size := int64(binary.LittleEndian.Uint32(tail[markerLength:]))
	return bytes.HasPrefix(tail, m[:]) && size <= maxPayload && int64(len(tail)-headerLength) < size
}

func isZero(b []byte) bool { return len(bytes.Trim(b, "\x00")) == 0 }
