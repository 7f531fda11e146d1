// Package wal keeps on disk what a replica must not forget: the vote log, whose records are durable before the replica
// speaks of them, and the ledger store, which holds decided cuts with their certificates, blocks and attachments.
//
// Its parts: Log (append-only, checksummed, one fsync for all records of a step), Ledger (over goleveldb, synced
// writes), FS (the little that the log needs of a file system, so that tests can crash it at every sync).
//
//	log, records, err := wal.Open(wal.Disk{}, dir)  // what a crash left, the torn tail cut off
//	core, err := bft.New(cfg, base, records)
//	err = log.Append(out.Persist)                   // durable when it returns
//	if log.Size() > limit { records, err := core.Checkpoint(); err = log.Rotate(records) }
//
// After any error of Append or Rotate the log refuses all that follows: a failed fsync leaves unknown what is on disk,
// and a replica that went on could contradict itself after a restart. The caller stops the replica and says so.
package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/seed06907907/fatty/bft"
)

// A segment is
//
//	magic   8 bytes  "fattywal"
//	version 4 bytes  little-endian, 1; a number is never reused with another layout
//	serial  8 bytes  little-endian: the highest complete segment is the log
//	units            each of one Append:
//	  length 4 bytes  of the body
//	  crc    4 bytes  CRC-32C of serial, offset of the unit in the file, and the body
//	  body            records: kind 1 byte, length 4 bytes, data
//
// A unit is all or nothing: its checksum covers all its records. The serial and the offset are in the checksum so that
// bytes of an older file or place, which a file system may leave behind a torn tail, never pass for a unit.
const (
	magic      = "fattywal"
	version    = 1
	headerSize = 20
	unitHeader = 8
	// MaxRecordBytes bounds one record: the largest frame and its wrapping.
	MaxRecordBytes = bft.MaxFrameBytes + 1<<10
	// MaxUnitBytes bounds one Append.
	MaxUnitBytes = 1 << 28
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ErrFailed is wrapped by every error after the log has failed once.
var ErrFailed = errors.New("the vote log failed: this replica must stop; see that the disk is healthy and has room, then start it again")

// ErrDamaged is wrapped when the log's content is not what was written, other than a torn last unit.
var ErrDamaged = errors.New("the vote log is damaged: restore it from a copy, or start this validator anew under another key, " +
	"for without its votes it may contradict itself")

// Log is an open vote log. It is not safe for concurrent use.
type Log struct {
	fs     FS
	dir    string
	file   File
	serial uint64
	size   int64
	failed error
	buf    []byte
}

func segmentName(serial uint64) string { return fmt.Sprintf("votes-%016x.log", serial) }

// Open opens or creates the log in a folder and returns its records. A last unit that was not completely written is
// dropped: nothing was acknowledged on its strength. The log goes on in a new segment that begins with what was read.
func Open(fsys FS, dir string) (*Log, []bft.Record, error) {
	l := &Log{fs: fsys, dir: dir}
	if err := fsys.MkdirAll(dir); err != nil {
		return nil, nil, fmt.Errorf("make the folder of the vote log: %w", err)
	}
	names, err := fsys.List(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("read the folder of the vote log: %w", err)
	}
	var records []bft.Record
	for i := len(names) - 1; i >= 0; i-- {
		var serial uint64
		if n, err := fmt.Sscanf(names[i], "votes-%016x.log", &serial); n != 1 || err != nil || names[i] != segmentName(serial) {
			continue
		}
		data, err := fsys.ReadFile(filepath.Join(dir, names[i]))
		if err != nil {
			return nil, nil, fmt.Errorf("read the vote log: %w", err)
		}
		if records, err = parse(data, serial); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", filepath.Join(dir, names[i]), err)
		}
		l.serial = serial
		break
	}
	if err := l.Rotate(records); err != nil {
		return nil, nil, err
	}
	return l, records, nil
}

// parse reads a segment. Only its end may be torn: a broken unit with an intact one behind it is damage.
func parse(data []byte, serial uint64) ([]bft.Record, error) {
	if len(data) < headerSize || string(data[:8]) != magic {
		return nil, fmt.Errorf("%w: no header", ErrDamaged)
	}
	if v := binary.LittleEndian.Uint32(data[8:]); v != version {
		return nil, fmt.Errorf("the vote log has format %d, this program knows %d: use the version that wrote it or a newer one", v, version)
	}
	if binary.LittleEndian.Uint64(data[12:]) != serial {
		return nil, fmt.Errorf("%w: the header is of another segment", ErrDamaged)
	}
	var out []bft.Record
	for at := headerSize; at < len(data); {
		body, ok := unitAt(data, at, serial)
		if !ok {
			if next := laterUnit(data, at+1, serial); next >= 0 {
				return nil, fmt.Errorf("%w: at byte %d, with an intact part at byte %d", ErrDamaged, at, next)
			}
			return out, nil
		}
		rs, err := parseUnit(body)
		if err != nil {
			return nil, err
		}
		out = append(out, rs...)
		at += unitHeader + len(body)
	}
	return out, nil
}

func unitAt(data []byte, at int, serial uint64) ([]byte, bool) {
	if at+unitHeader > len(data) {
		return nil, false
	}
	n := int64(binary.LittleEndian.Uint32(data[at:]))
	if n == 0 || n > MaxUnitBytes || int64(at)+unitHeader+n > int64(len(data)) {
		return nil, false
	}
	body := data[at+unitHeader : int64(at)+unitHeader+n]
	return body, checksum(serial, int64(at), body) == binary.LittleEndian.Uint32(data[at+4:])
}

// laterUnit looks for an intact unit behind a broken one: only a torn tail has none. A length must fit and a checksum
// that covers the place must match, so chance does not find one; the cost is bounded by trying few lengths that fit.
func laterUnit(data []byte, from int, serial uint64) int {
	const tries = 1 << 12 // checksums computed at most
	tried := 0
	for at := from; at+unitHeader < len(data) && tried < tries; at++ {
		n := int64(binary.LittleEndian.Uint32(data[at:]))
		if n < 5 || int64(at)+unitHeader+n > int64(len(data)) {
			continue
		}
		// The first record must fit into the unit too, which spares most checksums.
		if m := int64(binary.LittleEndian.Uint32(data[at+unitHeader+1:])); m > n-5 || data[at+unitHeader] == 0 || data[at+unitHeader] > 64 {
			continue
		}
		tried++
		if _, ok := unitAt(data, at, serial); ok {
			return at
		}
	}
	return -1
}

func parseUnit(body []byte) (out []bft.Record, err error) {
	for len(body) > 0 {
		if len(body) < 5 {
			return nil, fmt.Errorf("%w: a record's head is cut", ErrDamaged)
		}
		n := binary.LittleEndian.Uint32(body[1:])
		if n > MaxRecordBytes || int64(n) > int64(len(body)-5) {
			return nil, fmt.Errorf("%w: a record of %d bytes does not fit", ErrDamaged, n)
		}
		out = append(out, bft.Record{Kind: bft.RecordKind(body[0]), Data: append([]byte(nil), body[5:5+n]...)})
		body = body[5+n:]
	}
	return out, nil
}

func checksum(serial uint64, at int64, body []byte) uint32 {
	var h [16]byte
	binary.LittleEndian.PutUint64(h[:], serial)
	binary.LittleEndian.PutUint64(h[8:], uint64(at))
	return crc32.Update(crc32.Checksum(h[:], castagnoli), castagnoli, body)
}

// appendUnit encodes records as one unit that will stand at a byte of a segment.
func appendUnit(buf []byte, serial uint64, at int64, records []bft.Record) ([]byte, error) {
	start := len(buf)
	buf = append(buf, make([]byte, unitHeader)...)
	for _, r := range records {
		if len(r.Data) > MaxRecordBytes {
			return nil, fmt.Errorf("a record of %d bytes: at most %d are allowed", len(r.Data), MaxRecordBytes)
		}
		buf = append(buf, byte(r.Kind))
		buf = binary.LittleEndian.AppendUint32(buf, uint32(len(r.Data)))
		buf = append(buf, r.Data...)
	}
	body := buf[start+unitHeader:]
	if len(body) > MaxUnitBytes {
		return nil, fmt.Errorf("a unit of %d bytes: at most %d are allowed", len(body), MaxUnitBytes)
	}
	binary.LittleEndian.PutUint32(buf[start:], uint32(len(body)))
	binary.LittleEndian.PutUint32(buf[start+4:], checksum(serial, at, body))
	return buf, nil
}

// appendUnits encodes records as units to the end of buf, which stands at a byte of a segment: as one, or as several where
// they are too much for one. Of several, a crash may leave the first alone: the log of a replica that came no further.
func appendUnits(buf []byte, serial uint64, start int64, records []bft.Record) (_ []byte, err error) {
	for len(records) > 0 {
		n := unitOf(records)
		if buf, err = appendUnit(buf, serial, start+int64(len(buf)), records[:n]); err != nil {
			return nil, err
		}
		records = records[n:]
	}
	return buf, nil
}

// unitOf is how many of the records, one at least, make a unit that is well within its bound.
func unitOf(records []bft.Record) (n int) {
	for bytes := 0; n < len(records) && (n == 0 || bytes+len(records[n].Data) < MaxUnitBytes/4); n++ {
		bytes += len(records[n].Data) + 5
	}
	return n
}

// Append writes records and returns when they are durable. No records cost nothing.
func (l *Log) Append(records []bft.Record) error {
	if l.failed != nil {
		return l.failed
	}
	if len(records) == 0 {
		return nil
	}
	buf, err := appendUnits(l.buf[:0], l.serial, l.size, records)
	if err != nil {
		return l.fail(err)
	}
	if cap(buf) <= 1<<20 {
		l.buf = buf
	}
	if _, err := l.file.Write(buf); err != nil {
		return l.fail(err)
	}
	if err := l.file.Sync(); err != nil {
		return l.fail(err)
	}
	l.size += int64(len(buf))
	return nil
}

// Size returns the bytes of the current segment.
func (l *Log) Size() int64 { return l.size }

// Rotate replaces the log by one that holds the given records alone. It is durable when it returns; a crash on the way
// leaves the old log or the new one, whole.
func (l *Log) Rotate(records []bft.Record) error {
	if l.failed != nil {
		return l.failed
	}
	serial := l.serial + 1
	buf := make([]byte, 0, 1<<16)
	buf = append(buf, magic...)
	buf = binary.LittleEndian.AppendUint32(buf, version)
	buf = binary.LittleEndian.AppendUint64(buf, serial)
	buf, err := appendUnits(buf, serial, 0, records)
	if err != nil {
		return l.fail(err)
	}
	name := filepath.Join(l.dir, segmentName(serial))
	temp := name + ".new"
	f, err := l.fs.Create(temp)
	if err != nil {
		return l.fail(err)
	}
	_, err = f.Write(buf)
	if err == nil {
		err = f.Sync()
	}
	// Closed before it is renamed: some systems rename no open file.
	if err = errors.Join(err, f.Close()); err == nil {
		err = l.fs.Rename(temp, name)
	}
	if err == nil {
		err = l.fs.SyncDir(l.dir)
	}
	if err == nil {
		f, err = l.fs.Append(name)
	}
	if err != nil {
		return l.fail(err)
	}
	old := l.file
	l.file, l.serial, l.size = f, serial, int64(len(buf))
	if old != nil {
		if err := old.Close(); err != nil {
			return l.fail(err)
		}
	}
	return l.clean()
}

// clean removes older segments and unfinished new ones; the current one is durable.
func (l *Log) clean() error {
	names, err := l.fs.List(l.dir)
	if err != nil {
		return l.fail(err)
	}
	for _, n := range names {
		if strings.HasPrefix(n, "votes-") && n != segmentName(l.serial) {
			if err := l.fs.Remove(filepath.Join(l.dir, n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return l.fail(err)
			}
		}
	}
	return nil
}

// Close closes the file. All that was appended is durable already.
func (l *Log) Close() error {
	if l.file == nil {
		return nil
	}
	f := l.file
	l.file = nil
	if l.failed == nil {
		l.failed = fmt.Errorf("%w: it is closed", ErrFailed)
	}
	return f.Close()
}

func (l *Log) fail(err error) error {
	l.failed = fmt.Errorf("%w: %w", ErrFailed, err)
	return l.failed
}
