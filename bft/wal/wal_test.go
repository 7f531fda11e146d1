package wal

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/seed06907907/fatty/bft"
)

var errCrash = errors.New("the machine stopped")

// memDisk is a disk in memory that stops at its n-th operation and then shows what a real one may show after a crash:
// what was synced, and any part of what was not.
type memDisk struct {
	files   map[string]*memFile // as the running process sees them
	durable map[string]*memFile // names that a crash leaves
	ops     int
	stopAt  int // 0: never
}

type memFile struct {
	disk   *memDisk
	data   []byte
	synced int
}

func newMemDisk() *memDisk {
	return &memDisk{files: map[string]*memFile{}, durable: map[string]*memFile{}}
}

func (d *memDisk) op() error {
	d.ops++
	if d.stopAt > 0 && d.ops >= d.stopAt {
		return errCrash
	}
	return nil
}

func (f *memFile) Write(b []byte) (int, error) {
	if err := f.disk.op(); err != nil {
		f.data = append(f.data, b[:len(b)/2]...)
		return len(b) / 2, err
	}
	f.data = append(f.data, b...)
	return len(b), nil
}

func (f *memFile) Sync() error {
	if err := f.disk.op(); err != nil {
		return err
	}
	f.synced = len(f.data)
	return nil
}

func (f *memFile) Close() error { return nil }

func (d *memDisk) Create(name string) (File, error) {
	if err := d.op(); err != nil {
		return nil, err
	}
	d.files[name] = &memFile{disk: d}
	return d.files[name], nil
}

func (d *memDisk) Append(name string) (File, error) { return d.files[name], d.op() }

func (d *memDisk) ReadFile(name string) ([]byte, error) {
	if f := d.files[name]; f != nil {
		return bytes.Clone(f.data), nil
	}
	return nil, fs.ErrNotExist
}

func (d *memDisk) Rename(from, to string) error {
	if err := d.op(); err != nil {
		return err
	}
	d.files[to] = d.files[from]
	delete(d.files, from)
	return nil
}

func (d *memDisk) Remove(name string) error {
	if err := d.op(); err != nil {
		return err
	}
	delete(d.files, name)
	return nil
}

func (d *memDisk) MkdirAll(string) error { return nil }

func (d *memDisk) List(string) (names []string, err error) {
	for n := range d.files {
		names = append(names, filepath.Base(n))
	}
	sort.Strings(names)
	return names, nil
}

func (d *memDisk) SyncDir(string) error {
	if err := d.op(); err != nil {
		return err
	}
	d.durable = map[string]*memFile{}
	for n, f := range d.files {
		d.durable[n] = f
	}
	return nil
}

// afterCrash is the disk that the next process finds. keep says how much of what was not synced survived, of 256; early
// says whether directory changes that were not synced did.
func (d *memDisk) afterCrash(keep int, early bool) *memDisk {
	out := newMemDisk()
	names := d.durable
	if early {
		names = d.files
	}
	for n, f := range names {
		end := f.synced + (len(f.data)-f.synced)*keep/256
		g := &memFile{disk: out, data: bytes.Clone(f.data[:end]), synced: end}
		out.files[n], out.durable[n] = g, g
	}
	return out
}

func record(i int) bft.Record {
	return bft.Record{Kind: bft.RecordPrepared, Data: bytes.Repeat([]byte{byte(i)}, i%50)}
}

// TestCrashAtEverySync stops the machine at each operation in turn: what Append acknowledged is there again, and nothing
// that was not handed in is.
func TestCrashAtEverySync(t *testing.T) {
	for _, early := range []bool{false, true} {
		for _, keep := range []int{0, 100, 256} {
			for stopAt := 1; ; stopAt++ {
				d := newMemDisk()
				d.stopAt = stopAt
				acknowledged, handed, crashed := story(t, d)
				l, records, err := Open(d.afterCrash(keep, early), "dir")
				if err != nil {
					t.Fatalf("stop at %d, keep %d: open: %v", stopAt, keep, err)
				}
				// A rotation to the same records may or may not have happened; the records say how far it went.
				if len(records) < acknowledged || len(records) > handed {
					t.Fatalf("stop at %d, keep %d, early %v: %d records, %d were acknowledged and %d handed in", stopAt, keep, early, len(records), acknowledged, handed)
				}
				for i, r := range records {
					if w := record(i); r.Kind != w.Kind || !bytes.Equal(r.Data, w.Data) {
						t.Fatalf("stop at %d: record %d differs", stopAt, i)
					}
				}
				if err := l.Append([]bft.Record{record(len(records))}); err != nil {
					t.Fatal(err)
				}
				if !crashed {
					break
				}
			}
		}
	}
}

// story writes records, one to three at a time, and rotates now and then.
func story(t *testing.T, d *memDisk) (acknowledged, handed int, crashed bool) {
	l, _, err := Open(d, "dir")
	if err != nil {
		return 0, 0, true
	}
	for step := range 12 {
		var rs []bft.Record
		for range step%3 + 1 {
			rs = append(rs, record(handed))
			handed++
		}
		if err := l.Append(rs); err != nil {
			if !errors.Is(err, errCrash) || !errors.Is(err, ErrFailed) {
				t.Fatalf("append: %v", err)
			}
			if err := l.Append(rs); !errors.Is(err, ErrFailed) {
				t.Fatalf("a failed log goes on: %v", err)
			}
			return acknowledged, handed, true
		}
		acknowledged = handed
		if step%5 == 4 {
			var all []bft.Record
			for i := range handed {
				all = append(all, record(i))
			}
			if err := l.Rotate(all); err != nil {
				return acknowledged, handed, true
			}
		}
	}
	return acknowledged, handed, false
}

func TestDamageIsNotATornTail(t *testing.T) {
	d := newMemDisk()
	l, _, err := Open(d, "dir")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		if err := l.Append([]bft.Record{record(40 + i)}); err != nil {
			t.Fatal(err)
		}
	}
	name := filepath.Join("dir", segmentName(l.serial))
	whole := bytes.Clone(d.files[name].data)
	for at := range len(whole) {
		d.files = map[string]*memFile{name: {disk: d, data: bytes.Clone(whole)}}
		d.files[name].data[at] ^= 0x10
		_, records, err := Open(d, "dir")
		lastUnit := len(whole) - unitHeader - 5 - 49
		switch {
		case at < lastUnit && err == nil:
			t.Fatalf("byte %d flipped: %d records, no error", at, len(records))
		case at >= lastUnit && err != nil:
			t.Fatalf("byte %d of the tail flipped: %v", at, err)
		case err != nil && !errors.Is(err, ErrDamaged) && !strings.Contains(err.Error(), "format"):
			t.Fatalf("byte %d: %v", at, err)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := newMemDisk()
		l, _, err := Open(d, "dir")
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for range rapid.IntRange(0, 5).Draw(t, "appends") {
			var rs []bft.Record
			for _, b := range rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 300), 0, 4).Draw(t, "records") {
				rs = append(rs, bft.Record{Kind: bft.RecordKind(1 + len(b)%7), Data: b})
				want = append(want, fmt.Sprintf("%d %x", 1+len(b)%7, b))
			}
			if err := l.Append(rs); err != nil {
				t.Fatal(err)
			}
		}
		_, records, err := Open(d.afterCrash(0, false), "dir")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range records {
			got = append(got, fmt.Sprintf("%d %x", r.Kind, r.Data))
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}

func FuzzParse(f *testing.F) {
	d := newMemDisk()
	l, _, err := Open(d, "dir")
	if err != nil {
		f.Fatal(err)
	}
	if err := l.Append([]bft.Record{record(3), record(4)}); err != nil {
		f.Fatal(err)
	}
	f.Add(d.files[filepath.Join("dir", segmentName(l.serial))].data)
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _ = parse(data, 1) // no panic, bounded work
	})
}

func BenchmarkAppend(b *testing.B) {
	l, _, err := Open(Disk{}, b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	rs := []bft.Record{{Kind: bft.RecordAccepted, Data: make([]byte, 500)}}
	b.ResetTimer()
	for range b.N {
		if err := l.Append(rs); err != nil {
			b.Fatal(err)
		}
	}
}
