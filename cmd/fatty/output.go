package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/seed06907907/fatty/node/home"
)

// output is where a proof goes.
type output struct {
	path   string
	direct bool // no regular file, such as a device or a pipe: it is written to, and never replaced
}

// openOutput checks the place before the work begins, as a proof takes longer to make than to write. A symbolic link stays:
// what it leads to is written.
func openOutput(path string) (output, error) {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return output{}, codedf("write", "--out %s is a folder: name a file in it", path)
	case err == nil && !info.Mode().IsRegular():
		return output{path, true}, nil
	case err == nil:
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return output{}, coded{"write", err}
		}
	case !errors.Is(err, fs.ErrNotExist):
		return output{}, codedf("write", "--out: %w", err)
	}
	probe, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return output{}, codedf("write", "--out %s cannot be written: %w", path, err)
	}
	if err := errors.Join(probe.Close(), os.Remove(probe.Name())); err != nil {
		return output{}, coded{"write", err}
	}
	return output{path: path}, nil
}

func (o output) write(b []byte) error {
	if !o.direct {
		return home.WriteAtomic(o.path, b, 0o644)
	}
	f, err := os.OpenFile(o.path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Close())
}
