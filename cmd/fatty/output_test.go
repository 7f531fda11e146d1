package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A place that cannot be written is refused before the work, a device is written to and stays one, and nothing is left over.
func TestOutput(t *testing.T) {
	dir := t.TempDir()
	for what, path := range map[string]string{
		"a folder":       dir,
		"no such folder": filepath.Join(dir, "none", "x"),
		"a long name":    filepath.Join(dir, strings.Repeat("x", 300)),
		"below a file":   filepath.Join("output_test.go", "x"),
	} {
		if _, err := openOutput("out", path); err == nil || !strings.Contains(err.Error(), "--out") {
			t.Errorf("%s: %v", what, err)
		}
	}
	file := filepath.Join(dir, "proof")
	put := func(path, text string) {
		t.Helper()
		to, err := openOutput("out", path)
		if err != nil {
			t.Fatal(err)
		}
		if err := to.write(t.Context(), func(w io.Writer) error { _, err := io.WriteString(w, text); return err }); err != nil {
			t.Fatal(err)
		}
	}
	put(file, "one")
	link := filepath.Join(dir, "link")
	if err := os.Symlink(file, link); err != nil {
		t.Log("without links:", err)
		link = file
	}
	put(link, "two")
	if b, err := os.ReadFile(file); err != nil || string(b) != "two" {
		t.Errorf("%q, %v", b, err)
	}
	put(os.DevNull, "three")
	if info, err := os.Stat(os.DevNull); err != nil || info.Mode().IsRegular() {
		t.Errorf("%v, %v", info, err)
	}
	to, err := openOutput("out", file)
	if err == nil {
		err = to.write(t.Context(), func(w io.Writer) error { return errors.New("no result") })
	}
	if b, _ := os.ReadFile(file); err == nil || string(b) != "two" {
		t.Errorf("a write that fails: %v, and the file has %q", err, b)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 2 && link != file {
		t.Errorf("%v, %v", left, err)
	}
}
